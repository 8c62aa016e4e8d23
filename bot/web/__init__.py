"""The doors: webhook receiver, REST API, event streams, health, metrics and dashboard.

Start with `routes`, the one table that says which path is served by what, and with `parts`, which
lists everything that this room is given: it opens nothing and makes nothing itself. `receiver`
takes deliveries; `tasks`, `dead` and `insight` answer the API; `pages` draws what people see.
"""
