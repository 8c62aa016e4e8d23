"""Whose models they are, by the name before the colon.

Source of the names: https://pydantic.dev/docs/ai/models/overview/.
"""

#: They have their family's name and not its key: one logs in to them in a way of their own.
LOGINS = frozenset({"google-cloud", "openai-codex", "openai-chatgpt"})


def provider_of(model: str) -> str:
    """Whose key a model takes: "openai-chat:…" and "openai-responses:…" are both OpenAI's."""
    name = model.partition(":")[0]
    return name if name in LOGINS else name.partition("-")[0]
