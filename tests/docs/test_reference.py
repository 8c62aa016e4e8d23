"""The reference says what the code says: nothing is missing, nothing is left over."""

import re
from itertools import product
from pathlib import Path

import pytest

from bot.config.repo import RepoConfig
from bot.config.settings import Settings
from bot.domain import Bounds, Cause, Cursor, Outcome, Phase, Status, Verdict, WaitFor
from bot.effects import EffectKind
from bot.errors import ChimeraError
from bot.web.bodies import NewTask, Rules
from bot.web.phases import TaskDetail
from bot.web.shapes import Result
from bot.workflow.commands import TABLE
from bot.workflow.flow import TERMINAL, follow
from tests.docs.blocks import DOCS, ROOT, names
from tests.docs.from_commands import helps
from tests.docs.from_config import keys
from tests.docs.from_domain import event_names
from tests.docs.generate import BLOCKS, pages, wanted
from tests.docs.pages import text_of
from tests.docs.source import BOT, matched_classes, members_used
from tests.web.house import opened_house

REFERENCE = DOCS / "reference"
ARROW = re.compile(r"^    ([A-Z0-9_]+) --> ([A-Z0-9_]+): ", re.MULTILINE)
ROW = re.compile(r"^\| `(?P<name>[^`]+)` \| (?P<rest>.*) \|$", re.MULTILINE)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_generated_parts_of_a_page_are_what_the_code_says_now(page: Path) -> None:
    assert text_of(page) == wanted(page), "run: python -m tests.docs.generate"


def test_everything_that_can_be_generated_is_on_a_page() -> None:
    assert {name for page in pages() for name in names(text_of(page))} == set(BLOCKS)


def test_every_key_of_chimera_yml_and_every_setting_has_its_row() -> None:
    rows = rows_of(REFERENCE / "configuration.md")
    assert {key for key, _ in keys(RepoConfig, "")} <= rows
    settings = {f"CHIMERA_{name.upper()}" for name in Settings.model_fields} - {
        "CHIMERA_MODEL_KEYS"
    }
    assert settings <= rows


def test_every_phase_status_cause_and_wait_has_its_row() -> None:
    assert set(Phase) | set(Status) | set(Outcome) <= rows_of(REFERENCE / "phases.md")
    assert set(Cause) | set(WaitFor) <= rows_of(REFERENCE / "causes-and-waits.md")


def test_every_command_has_its_row() -> None:
    assert {spec.usage for spec in TABLE} <= rows_of(REFERENCE / "commands.md")


def test_every_command_of_the_command_line_has_its_heading() -> None:
    text = text_of(REFERENCE / "cli.md")
    assert [path for path, _ in helps() if f"### `{path}`\n" not in text] == []


def test_the_exit_codes_are_those_that_errors_have() -> None:
    codes = {"0", *(str(kind.exit_code) for kind in _family(ChimeraError))}
    listed = re.findall(r"^\| (\d+) \|", text_of(REFERENCE / "cli.md"), re.MULTILINE)
    assert set(listed) == codes


def test_every_event_says_what_becomes_of_it() -> None:
    table = text_of(REFERENCE / "events.md").split("## What becomes of it", 1)[1]
    told = {m["name"]: m["rest"] for m in ROW.finditer(table)}
    assert set(event_names()) == {name for name in told if name[0].isupper()}
    idle = {name for name in event_names() if told[name].startswith("nothing")}
    assert idle == set(event_names()) - matched_classes("workflow/intake.py", "act")


def test_every_kind_of_effect_has_its_natural_key() -> None:
    table = text_of(DOCS / "reliability.md").split("## Every effect", 1)[1].split("## ", 1)[0]
    assert [m["name"] for m in ROW.finditer(table)] == [kind.value for kind in EffectKind]
    assert members_used(EffectKind, outside=("effects.py",)) == set(EffectKind), "all are made"


def test_the_picture_of_the_states_shows_where_every_verdict_leads() -> None:
    shown = set(ARROW.findall(text_of(REFERENCE / "phases.md")))
    assert shown == set(_ways())


def test_every_room_is_in_the_picture_of_the_house() -> None:
    text = text_of(DOCS / "explanation" / "house.md")
    rooms = {path.parent.name for path in BOT.glob("*/__init__.py")}
    assert [room for room in sorted(rooms) if f'{room}["{room} · ' not in text] == []


async def test_every_route_is_on_the_page(tmp_path: Path) -> None:
    text = text_of(REFERENCE / "api.md")
    async with opened_house(tmp_path) as house:
        paths = [route.path for route in house.web().routes]  # type: ignore[attr-defined]
    assert [path for path in paths if f"`{path}`" not in text] == []


def test_the_api_page_names_every_field_that_goes_in_and_comes_out() -> None:
    said = {code.strip("`") for code in re.findall(r"`[a-z_]+`", text_of(REFERENCE / "api.md"))}
    assert set(NewTask.model_fields) <= said
    assert set(TaskDetail.model_fields) - {"status", "phase", "result"} <= said
    assert set(Result.model_fields) <= set(
        re.findall(r'"([a-z_]+)":', text_of(REFERENCE / "api.md"))
    )


def test_the_submission_on_the_api_page_is_accepted() -> None:
    [body] = re.findall(r"-d '(\{.+?\})'", text_of(REFERENCE / "api.md"))
    rules = Rules(default_repository="", allowed_hosts=frozenset())
    assert NewTask.model_validate_json(body, context=rules).repository == "acme/shop"


def rows_of(page: Path) -> set[str]:
    return {match["name"] for match in ROW.finditer(text_of(page))}


def _family(kind: type[ChimeraError]) -> list[type[ChimeraError]]:
    from bot.cli import remote  # it has errors of its own

    assert issubclass(remote.Unreachable, ChimeraError)
    return [kind, *(inner for child in kind.__subclasses__() for inner in _family(child))]


def _ways() -> set[tuple[str, str]]:
    """Every pair that `follow` can make, of all cursors and verdicts that phases make."""
    bounds = Bounds(rounds=2, turns=2, attempts=2)
    ways = set()
    for phase, outcome, used in product(set(Phase) - TERMINAL, Outcome, (1, 2)):
        at = Cursor(phase=phase, round=used, turn=used, attempt=used)
        earlier = [
            p for p in (Phase.CODE_IMPLEMENTATION, Phase.STAGING_DEPLOYMENT) if _before(p, at)
        ]
        for to in earlier if outcome is Outcome.BACK else [None]:
            verdict = Verdict(outcome=outcome, summary="", to=to)
            ways.add((phase.value, follow(at, verdict, bounds).phase.value))
    return ways


def _before(phase: Phase, at: Cursor) -> bool:
    order = list(Phase)
    return order.index(phase) < order.index(at.phase)
