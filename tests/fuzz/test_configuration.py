"""A chimera.yml with anything wrong in it: a configuration, or problems that name their place."""

import copy
import os
import random
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.config.layers import load_repo_config, problems_in
from bot.errors import ConfigError
from tests.fuzz.mutate import MISSING, NASTY, places

MANY = 2_000 if os.environ.get("FUZZ") == "all" else 400
SHIPPED = Path(__file__).parents[2] / "config" / "chimera.yml"
SLOW_S = 1.0  #: of the processor, for one file


def mangled(text: str, dice: random.Random) -> bytes:
    """The text with bytes changed, taken out or doubled."""
    data = bytearray(text.encode())
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(data))
        match dice.choice(("flip", "cut", "double", "tab")):
            case "flip":
                data[at] = dice.randrange(256)
            case "cut":
                del data[at : at + dice.randint(1, 20)]
            case "double":
                data[at:at] = data[at : at + 40]
            case "tab":
                data[at:at] = b"\t"
    return bytes(data)


def with_wrong_values(value: Any, dice: random.Random) -> bytes:
    made = copy.deepcopy(value)
    for _ in range(dice.randint(1, 3)):
        *way, last = dice.choice(list(places(made)))
        holder = made
        for step in way:
            holder = holder[step]
        wrong = dice.choice(NASTY)
        if wrong is MISSING:
            del holder[last]
        else:
            holder[last] = copy.deepcopy(wrong)
    return yaml.safe_dump(made, allow_unicode=False).encode("utf-8", "surrogatepass")


def test_any_spoilt_configuration_is_one_or_says_where_it_is_not() -> None:
    dice, text = random.Random(8), SHIPPED.read_text(encoding="utf-8")
    shipped = yaml.safe_load(text)
    for number in range(MANY):
        data = mangled(text, dice) if number % 2 else with_wrong_values(shipped, dice)
        began = time.process_time()
        problems = problems_in("chimera.yml", data)
        assert time.process_time() - began < SLOW_S, data
        if problems:
            assert all(one.text and one.place.line >= 1 for one in problems), data
        else:
            load_repo_config([("chimera.yml", data)])


def test_what_is_told_in_one_file_is_told_of_all_layers() -> None:
    good, bad = ("a.yml", b"version: 1\n"), ("b.yml", b"limits: {rounds: many}\n")
    with pytest.raises(ConfigError) as caught:
        load_repo_config([good, bad])
    assert [text.partition(":")[0] for text in caught.value.problems] == ["b.yml"]
