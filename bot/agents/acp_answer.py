"""The structured answer that the protocol has no place for: asked for in words, found in words."""

import json
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError

from bot.agents.misfit import misfit

MAX_REASKS = 2
_LOOKED_AT = 100_000  #: characters at the end of a turn's words
_MAX_TRIES = 500  #: places where an object might begin

Json = dict[str, object]


class NoAnswer(Exception):
    """A text without a usable answer; says what is wrong, for whoever wrote it."""


def order(reply_type: type[BaseModel]) -> str:
    """What is said at the end of a task."""
    schema = json.dumps(reply_type.model_json_schema(), ensure_ascii=False)
    return (
        "When all of the work is done, end with your answer: one JSON object in a ```json block, "
        f"nothing after it. It must fit this JSON Schema:\n{schema}"
    )


def reask(problem: NoAnswer, reply_type: type[BaseModel]) -> str:
    """What is said to an answer that does not fit."""
    return f"Your answer cannot be used: {problem}\nDo not work on. {order(reply_type)}"


def answer_in(text: str, reply_type: type[BaseModel]) -> BaseModel:
    """The last object in `text` that fits. Raises NoAnswer, about the last object there is."""
    problem = ""
    for found in reversed(list(_objects(text[-_LOOKED_AT:]))):
        try:
            return reply_type.model_validate(found)
        except ValidationError as error:
            problem = problem or misfit(error)
    raise NoAnswer(problem or "there is no JSON object in it")


def _objects(text: str) -> Iterator[Json]:
    """The outermost JSON objects in `text`; those of a ```json block if there is one."""
    fence = text.rfind("```json")
    read = json.JSONDecoder().raw_decode
    at = max(fence, 0)
    for _ in range(_MAX_TRIES):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            found, at = read(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        yield found
