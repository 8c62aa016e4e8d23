"""`chimera health`: exit codes that a container's keeper and a script can act on."""

import json

from bot.web.health import STORE_SEEN_S
from bot.web.parts import HealthPart
from tests.cli.test_remote import Desk, desk

__all__ = ["desk"]  # the fixture


async def test_a_server_that_is_well_is_0_and_every_part_is_shown(desk: Desk) -> None:
    said = await desk.types("health")
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines()[0].split() == ["PART", "STATE", "DETAIL", "WHAT", "TO", "DO"]
    assert "store" in said.stdout


async def test_a_part_that_is_not_well_keeps_the_server_alive_and_is_1_for_the_strict(
    desk: Desk,
) -> None:
    desk.house.health = [HealthPart(name="disk", ok=False, detail="1 MiB free", fix="Free some.")]
    said = await desk.types("health")
    assert said.returncode == 0
    assert "Free some." in said.stdout
    assert "degraded" in said.stderr
    assert (await desk.types("health", "--strict")).returncode == 1
    document = json.loads((await desk.types("health", "--json")).stdout)
    assert document["parts"][1]["fix"] == "Free some."


async def test_one_that_drains_or_cannot_store_is_75_and_none_at_all_is_69(desk: Desk) -> None:
    desk.house.is_draining = True
    assert (await desk.types("health")).returncode == 75
    assert "is starting or stopping" in (await desk.types("health")).stderr
    desk.house.is_draining = False
    desk.house.clock.at += STORE_SEEN_S
    await desk.house.store.close()
    said = await desk.types("health")
    assert said.returncode == 75
    assert "the store is closed" in said.stdout, "which part it is"
    assert "Check its disk" in said.stdout, "and what to do"
    assert "can store nothing" in said.stderr
    assert (await desk.types("health", "--server", "http://127.0.0.1:1")).returncode == 69
