"""Every delivery that GitHub has shown, and what it may turn into, acted on by the whole house.

`tests/fuzz` asks what a delivery is read as; here it is asked what is done about it: no error in
the log, no delivery that is tried again and again for a mistake of ours.
"""

import copy
import io
import json
import os
import random
from typing import Any

from tests.fuzz.mutate import OTHERS, changed, examples, places
from tests.fuzz.test_deliveries import bears_on
from tests.stories.factory import Factory

EXAMPLES = examples()
MANY = 400 if os.environ.get("FUZZ") == "all" else 60
SEED = 20_261_122


async def test_no_delivery_ends_in_an_error_whatever_it_says_of_our_repository(
    factory: Factory, logged: io.StringIO
) -> None:
    dice = random.Random(SEED)
    issue = await factory.open_issue()
    known = next(one for one in factory.hub.deliveries if one.event == "issues")
    for key, payload in EXAMPLES.items():
        ours = as_ours(payload, known.payload, issue)
        factory.hub.world.deliver(known.app, key.partition(".")[0], ours)
    for _ in range(MANY):
        key = dice.choice(sorted(EXAMPLES))
        name, ours = key.partition(".")[0], as_ours(EXAMPLES[key], known.payload, issue)
        place = dice.choice([place for place in places(ours) if bears_on(place, name)])
        with changed(ours, place, dice.choice(OTHERS)):
            factory.hub.world.deliver(known.app, name, copy.deepcopy(ours))
    await factory.shown()
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line for line in lines if line["level"] == "error"] == []
    assert sum(line["event"] == "delivery read" for line in lines) > len(EXAMPLES) / 2


def as_ours(payload: Any, known: Any, issue: int) -> Any:
    """The payload as if it were about this repository and this issue."""
    made = copy.deepcopy(payload)
    for name in ("repository", "installation"):
        made[name] = {**(made.get(name) or {}), **known[name]}
    if "issue" in made:
        made["issue"]["number"] = issue
    return made
