"""The only room where GitHub, the queue and the agents meet.

Start with `flow` (pure: where a verdict leads), then `phases` (what each phase does) and
`executor` (one step, recorded). `intake` turns deliveries into commands, `report` holds every
word that we say, `effects` is the protocol by which anything reaches GitHub.
"""
