"""Reads a Containerfile: stages of instructions, with continued lines joined and ARGs filled in."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    word: str  #: RUN, COPY …
    rest: str


@dataclass(slots=True, kw_only=True)
class Stage:
    """From one FROM to the next."""

    base: str
    name: str = ""
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """What follows every instruction of this word."""
        return [one.rest for one in self.instructions if one.word == word]


def read(file: Path) -> list[Stage]:
    """The stages of a file, in order."""
    text = re.sub(r"^\s*#.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        rest = " ".join(rest.split()) if word in ("ENV", "LABEL") else rest
        match word, _VARIABLE.sub(lambda m: arguments.get(m[1], m[0]), rest).split():
            case "ARG", [given]:
                name, _, default = given.partition("=")
                arguments[name] = default
            case "FROM", [base, *alias]:
                stages.append(Stage(base=base, name=alias[-1] if alias else ""))
            case _:
                stages[-1].instructions.append(Instruction(word=word, rest=rest))
    return stages
