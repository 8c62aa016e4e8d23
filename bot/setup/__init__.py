"""Setting up and looking after: what a person needs before the first issue is labelled.

- `wizard`    the pages of `chimera setup`, on loopback, behind `entrance`; `serving` runs them
- `doctor`    everything that could be wrong, each with its fix; `chimera doctor`
- `saved`     deliveries from a file, signed and posted; `smee` those from a channel

`shipped` finds the files that come along (manifests, templates). Above the web, below the command
line; nothing that runs tasks needs this room.
"""
