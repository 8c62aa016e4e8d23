"""A GitHub on your laptop: real git, real Actions runs, signed webhooks, GitHub's own refusals.

Stands apart: imports nothing of the rest of the project, and the bot does not know which hub it
talks to. Begin at ``hub.LocalHub``; ``routes`` is the table of the REST API, ``state`` the rows,
``events`` the webhooks. What is only emulated is listed in docs/explanation/localhub.md.
"""
