"""The thinkers: everything that may run a model or a stranger's code, and the cage it runs in.

An agent gets a `Brief` and gives a `Reply`; it never sees a GitHub token or the queue, for this
room cannot import those rooms. Come in through `agent.py` (the contract), `roster.py` (the four
roles) and `cage.py` (how anything untrusted is run); `llm.py`, `acp.py`, `command.py` and
`replay.py` are the ways to be an agent, and `fallback.py` puts one behind another. An `acp`
program reaches its model through `gateway.py`.
"""
