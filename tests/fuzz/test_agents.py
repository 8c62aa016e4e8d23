"""What agents hand back: replies that are none, and checkouts that are traps."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from bot.agents.acp_answer import NoAnswer, answer_in
from bot.agents.agent import Brief, Outcome
from bot.agents.cage import Cage, CageKind
from bot.agents.cage_policy import Bind, CageLimits, WayOut
from bot.agents.cage_run import Ending, Ran
from bot.agents.command import CommandAgent
from bot.agents.replies import DeployPlan, Review, WrittenCode, WrittenTests
from bot.domain import Role
from bot.errors import BadOutput
from bot.github.changes import Change, Changes, read_changes, write_changes
from bot.github.names import BadName

MANY = 300 if os.environ.get("FUZZ") == "all" else 100
SLOW_S = 1.0  #: of the processor, for one reply
REPLIES: dict[Role, type[BaseModel]] = {
    Role.E2E_TESTER: WrittenTests,
    Role.CODER: WrittenCode,
    Role.GUARDIAN: Review,
    Role.DEPLOYMENT: DeployPlan,
}

fuzzed = settings(max_examples=MANY, deadline=None)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
members = st.sampled_from(
    ["summary", "files", "answers", "decision", "comments", "proceed", "risk", "what", "where"]
)
values = st.sampled_from(["approve", "low", "x", "x" * 9000]) | json_values
written = st.one_of(
    st.binary(max_size=300),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.dictionaries(members, values, max_size=9).map(lambda value: json.dumps(value).encode()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writes(Cage):
    """A cage in which the program has written this as its reply."""

    reply: bytes

    async def run(
        self,
        command: Sequence[str] | str,
        *,
        workspace: Path,
        env: Mapping[str, str] | None = None,
        limits: CageLimits | None = None,
        read_only: Sequence[str] = (),
        writable: bool = True,
        stdin: bytes | None = None,
        binds: Sequence[Bind] = (),
        network: Sequence[WayOut] = (),
        on_output: Callable[[bytes], None] | None = None,
    ) -> Ran:
        outbox = next(bind.host for bind in binds if bind.writable)
        (outbox / "reply.json").write_bytes(self.reply)
        return Ran(
            exit_code=0, outcome=Ending.EXITED, output=b"", stdout=b"", stderr=b"",
            truncated=False, duration_ms=1,
        )  # fmt: skip


@fuzzed
@given(reply=written, role=st.sampled_from(list(Role)))
async def test_whatever_is_written_is_a_reply_that_fits_or_none(reply: bytes, role: Role) -> None:
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        checkout.mkdir()
        brief = Brief(
            run_id="fuzz",
            role=role,
            workspace=checkout,
            cage=Writes(kind=CageKind.NONE, program=None, toolchains=(), reply=reply),
            instructions="",
            prompt="",
            reply_type=REPLIES[role],
        )
        found = await CommandAgent(command="true").run(brief, lambda _event: None)
    if found.outcome is Outcome.COMPLETED:
        assert isinstance(found.output, REPLIES[role])
    else:
        assert found.outcome is Outcome.FAILED
        assert found.error


@fuzzed
@given(before=st.text(max_size=200), reply=written, after=st.text(max_size=200))
def test_an_answer_in_words_is_one_that_fits_or_none(before: str, reply: bytes, after: str) -> None:
    text = f"{before}```json\n{reply.decode('utf-8', 'replace')}\n```{after}"
    for reply_type in REPLIES.values():
        with contextlib.suppress(NoAnswer):
            assert isinstance(answer_in(text, reply_type), reply_type)


@pytest.mark.parametrize(
    "text",
    [
        "{" * 100_000,
        '{"a":' * 20_000,
        '{"a":[' * 15_000,
        '{"' * 50_000,
        "[" * 100_000,
        '"\\u' * 30_000,
    ],
    ids=lambda text: text[:6],
)
def test_a_flood_of_brackets_is_given_up_quickly(text: str) -> None:
    began = time.process_time()
    with pytest.raises(NoAnswer):
        answer_in(text, Review)
    assert time.process_time() - began < SLOW_S


names = st.sampled_from(
    [
        "a",
        "b.txt",
        "..",
        ".",
        ".git",
        ".GIT",
        "-x",
        "*",
        "ü",
        "a\nb",
        "\x7f",
        " ",
        "link",
        "deep/er",
    ]
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
contents = st.none() | st.binary(max_size=50)
changes = st.lists(st.tuples(paths, contents), max_size=6).map(
    lambda found: Changes(files=tuple(Change(path=p, content=c) for p, c in found))
)


@fuzzed
@given(change=changes, linked=st.booleans())
def test_no_change_is_ever_written_outside_of_the_clone(change: Changes, linked: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outside, clone = Path(folder) / "outside", Path(folder) / "clone"
        outside.mkdir()
        clone.mkdir()
        (outside / "a").write_text("mine")
        if linked:
            (clone / "link").symlink_to(outside)
        with contextlib.suppress(BadOutput, BadName, OSError):  # refusals are what is hoped for
            write_changes(clone, change)
        assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("a", "mine")]
        assert sorted(path.name for path in Path(folder).iterdir()) == ["clone", "outside"]
        assert not (clone / ".git").exists()


@fuzzed
@given(wanted=st.lists(paths, max_size=6), linked=st.booleans())
def test_no_link_is_followed_when_a_checkout_is_read(wanted: list[str], linked: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outside, checkout = Path(folder) / "outside", Path(folder) / "checkout"
        outside.mkdir()
        checkout.mkdir()
        (outside / "a").write_text("a secret of ours")
        (checkout / "b.txt").write_text("theirs")
        (checkout / "link").symlink_to(outside if linked else outside / "a")
        found = read_changes(checkout, wanted)
    told = b"".join(one.content or b"" for one in found.files)
    assert b"secret" not in told


def test_the_replies_of_all_roles_are_tried() -> None:
    assert set(REPLIES) == set(Role)
