"""What does not fit a model of pydantic, in one line for whoever wrote it."""

from pydantic import ValidationError


def misfit(problem: ValidationError) -> str:
    """The first of what does not fit: where, and why."""
    first = problem.errors()[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
