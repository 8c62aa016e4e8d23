"""Deliveries as they are, as they might be, and as an attacker makes them."""

import copy
import hashlib
import hmac
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain import Actor, RepoRef
from bot.errors import InputError
from bot.events import (
    BlockerRemoved,
    CheckButton,
    CheckSuiteEnded,
    CommentCreated,
    Deployed,
    InstallationChanged,
    IssueEdited,
    IssueGone,
    IssueLabeled,
    IssueUnlabeled,
    MergeGroupAsked,
    ProtectionAsked,
    PullChanged,
    Pushed,
    RepositoryChanged,
    ReviewSubmitted,
    RunEnded,
)
from bot.github.webhook import (
    BadHeader,
    BadSignature,
    Delivery,
    Unreadable,
    from_json,
    parse,
    to_json,
)
from tests.web.deliveries import raw

SECRET = "It's a Secret to Everybody"  # with it, GitHub's documentation shows an example
SHA, OTHER = "a" * 40, "b" * 40
ANN = {"login": "ann", "id": 4, "type": "User"}
REPO = {
    "id": 7,
    "name": "shop",
    "full_name": "acme/shop",
    "owner": {"login": "acme", "id": 2},
    "default_branch": "trunk",
}
ISSUE = {
    "number": 12,
    "title": "Log out",
    "body": "Please.",
    "user": {"login": "zed", "id": 9, "type": "User"},
    "labels": [{"name": "chimera"}, {"name": "bug"}],
    "state": "open",
    "html_url": "https://github.com/acme/shop/issues/12",
}
ELSEWHERE = ISSUE | {"repository_url": "https://api.github.com/repos/acme/stock", "number": 3}
COMMON: dict[str, Any] = {"repository": REPO, "sender": ANN, "installation": {"id": 5}}
CHECK = {"id": 31, "name": "chimera / task", "external_id": "t-1", "head_sha": SHA}
PULL = {
    "number": 3,
    "merged": True,
    "merge_commit_sha": OTHER,
    "head": {"ref": "chimera/12-log-out", "sha": SHA},
    "base": {"ref": "trunk"},
}
RUN = {
    "id": 88,
    "path": ".github/workflows/deploy.yml@refs/heads/trunk",
    "display_title": "deploy t-1",
    "conclusion": "success",
    "head_sha": SHA,
    "html_url": "https://github.com/acme/shop/actions/runs/88",
    "event": "workflow_dispatch",
}
CALLBACK = "https://api.github.com/repos/acme/shop/actions/runs/88/deployment_protection_rule"
SHORT = {"id": 7, "name": "shop", "full_name": "acme/shop"}

KNOWN: list[tuple[str, dict[str, Any], type]] = [
    ("issues", {"action": "labeled", "issue": ISSUE, "label": {"name": "chimera"}}, IssueLabeled),
    ("issues", {"action": "unlabeled", "issue": ISSUE, "label": {"name": "x"}}, IssueUnlabeled),
    ("issues", {"action": "edited", "issue": ISSUE, "changes": {}}, IssueEdited),
    ("issues", {"action": "closed", "issue": ISSUE}, IssueGone),
    ("issues", {"action": "deleted", "issue": ISSUE}, IssueGone),
    ("issues", {"action": "transferred", "issue": ISSUE}, IssueGone),
    (
        "issue_dependencies",
        {"action": "blocked_by_removed", "blocked_issue": ISSUE, "blocking_issue": ELSEWHERE},
        BlockerRemoved,
    ),
    (
        "issue_comment",
        {"action": "created", "issue": ISSUE, "comment": {"id": 6, "body": "/chimera status"}},
        CommentCreated,
    ),
    (
        "pull_request_review",
        {
            "action": "submitted",
            "pull_request": PULL,
            "review": {"id": 8, "state": "APPROVED", "body": None, "commit_id": SHA},
        },
        ReviewSubmitted,
    ),
    (
        "check_run",
        {
            "action": "requested_action",
            "check_run": CHECK,
            "requested_action": {"identifier": "approve"},
        },
        CheckButton,
    ),
    ("check_run", {"action": "rerequested", "check_run": CHECK}, CheckButton),
    (
        "check_suite",
        {
            "action": "completed",
            "check_suite": {
                "head_sha": SHA,
                "conclusion": "failure",
                "app": {"id": 1, "slug": "github-actions"},
            },
        },
        CheckSuiteEnded,
    ),
    ("workflow_run", {"action": "completed", "workflow_run": RUN}, RunEnded),
    (
        "deployment_status",
        {
            "action": "created",
            "deployment": {"id": 41, "environment": "staging"},
            "deployment_status": {"state": "success", "environment_url": "https://s.test"},
            "workflow_run": {"id": 88},
        },
        Deployed,
    ),
    (
        "deployment_protection_rule",
        {"action": "requested", "environment": "prod", "deployment_callback_url": CALLBACK},
        ProtectionAsked,
    ),
    ("push", {"ref": "refs/heads/trunk", "before": OTHER, "after": SHA}, Pushed),
    ("pull_request", {"action": "closed", "pull_request": PULL}, PullChanged),
    (
        "merge_group",
        {"action": "checks_requested", "merge_group": {"head_sha": SHA}},
        MergeGroupAsked,
    ),
    ("installation", {"action": "created", "repositories": [SHORT]}, InstallationChanged),
    ("installation", {"action": "suspend"}, InstallationChanged),
    (
        "installation_repositories",
        {"action": "added", "repositories_added": [SHORT], "repositories_removed": []},
        InstallationChanged,
    ),
    ("repository", {"action": "renamed"}, RepositoryChanged),
    ("repository", {"action": "archived"}, RepositoryChanged),
    ("repository", {"action": "transferred"}, RepositoryChanged),
    ("repository", {"action": "deleted"}, RepositoryChanged),
]


def signed(body: bytes, event: str = "issues", secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X-Hub-Signature-256": f"sha256={digest}",
    }


def delivered(event: str, payload: Any, **more: str) -> Delivery:
    body = json.dumps(payload).encode()
    return parse(raw(signed(body, event) | more), body, secrets=[SECRET])


# ── signatures ───────────────────────────────────────────────────────────────────────────────


def test_githubs_own_example_of_a_signature_fits() -> None:
    headers = signed(b"{}") | {
        "X-Hub-Signature-256": (
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        )
    }
    with pytest.raises(Unreadable, match="not JSON"):  # so the signature was good
        parse(raw(headers), b"Hello, World!", secrets=[SECRET])


@pytest.mark.parametrize("secrets", [[SECRET, "new"], ["new", SECRET.encode()], ["", SECRET]])
def test_either_of_two_secrets_will_do(secrets: list[str | bytes]) -> None:
    assert parse(raw(signed(b"{}")), b"{}", secrets=secrets).event is None


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + "0" * 40,
        "sha256=" + "é" * 64,
        "sha256=" + "\udcff" * 64,
        "0" * 10_000,
    ],
)
def test_a_signature_that_does_not_fit_is_refused_with_one_text(signature: str) -> None:
    headers = signed(b"{}") | {"X-Hub-Signature-256": signature}
    with pytest.raises(BadSignature, match="does not fit"):
        parse(raw(headers), b"{}", secrets=[SECRET])


@pytest.mark.parametrize("secrets", [[], [""], [b""], ["another"]])
def test_without_the_right_secret_nothing_fits(secrets: list[str | bytes]) -> None:
    with pytest.raises(BadSignature):
        parse(raw(signed(b"{}", secret="")), b"{}", secrets=secrets)


def test_one_changed_byte_is_refused() -> None:
    with pytest.raises(BadSignature):
        parse(raw(signed(b'{"a": 1}')), b'{"a": 2}', secrets=[SECRET])


@pytest.mark.parametrize("name", ["X-GitHub-Event", "X-GitHub-Delivery"])
@pytest.mark.parametrize("value", ["", "a b", "x" * 200, "é", "a\nb"])
def test_a_missing_or_malformed_header_comes_before_the_signature(name: str, value: str) -> None:
    headers = signed(b"{}") | {name: value, "X-Hub-Signature-256": "wrong"}
    with pytest.raises(BadHeader, match=name.lower()):
        parse(raw(headers), b"{}", secrets=[SECRET])


# ── meaning ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("event", "payload", "kind"), KNOWN)
def test_each_event_that_we_listen_to_is_understood(
    event: str, payload: dict[str, Any], kind: type
) -> None:
    got = delivered(event, COMMON | payload)
    assert type(got.event) is kind
    assert got.installation_id == 5
    assert got.repository == "acme/shop"
    assert got.action == payload.get("action", "")


@pytest.mark.parametrize(("event", "payload", "kind"), KNOWN)
def test_an_event_survives_the_inbox(event: str, payload: dict[str, Any], kind: type) -> None:
    found = delivered(event, COMMON | payload).event
    assert found is not None
    again = from_json(to_json(found))
    assert (type(again), again) == (kind, found)


def test_a_labelled_issue_is_read_in_full() -> None:
    found = delivered("issues", COMMON | KNOWN[0][1]).event
    assert isinstance(found, IssueLabeled)
    assert found.repo == RepoRef(
        id=7, owner="acme", name="shop", installation_id=5, default_branch="trunk"
    )
    assert found.sender == Actor(login="ann", id=4)
    assert found.issue.labels == ("chimera", "bug")
    assert (found.label, found.issue.author.login) == ("chimera", "zed")
    assert not found.issue.is_pull


def test_a_comment_on_a_pull_request_says_so_and_bots_are_known() -> None:
    payload = COMMON | {
        "action": "created",
        "issue": ISSUE | {"pull_request": {"url": "x"}},
        "comment": {"id": 6, "body": "hi"},
        "sender": {"login": "renovate[bot]", "id": 1, "type": "Bot"},
    }
    found = delivered("issue_comment", payload).event
    assert isinstance(found, CommentCreated)
    assert found.issue.is_pull
    assert found.sender.is_bot


def test_details_that_matter_later() -> None:
    by_kind = {kind: delivered(event, COMMON | p).event for event, p, kind in KNOWN}
    run, pull = by_kind[RunEnded], by_kind[PullChanged]
    review, ask = by_kind[ReviewSubmitted], by_kind[ProtectionAsked]
    deployed, button = by_kind[Deployed], by_kind[CheckButton]
    assert isinstance(run, RunEnded)
    assert (run.workflow, run.title) == (".github/workflows/deploy.yml", "deploy t-1")
    assert isinstance(pull, PullChanged)
    assert (pull.merged, pull.merge_sha, pull.head_sha) == (True, OTHER, SHA)
    assert isinstance(review, ReviewSubmitted)
    assert (review.state, review.body, review.commit_sha) == ("approved", "", SHA)
    assert isinstance(ask, ProtectionAsked)
    assert ask.run_id == 88
    assert isinstance(deployed, Deployed)
    assert (deployed.run_id, deployed.environment_url) == (88, "https://s.test")
    assert isinstance(button, CheckButton)
    assert button.identifier == "rerequested"
    unblocked = by_kind[BlockerRemoved]
    assert isinstance(unblocked, BlockerRemoved)
    assert (unblocked.blocker_repository, unblocked.blocker) == ("acme/stock", 3)


def test_our_own_check_suites_are_not_news() -> None:
    suite = {"head_sha": SHA, "conclusion": "success", "app": {"id": 3, "slug": "chimera"}}
    payload = COMMON | {"action": "completed", "check_suite": suite}
    hook = {
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-GitHub-Hook-Installation-Target-ID": "3",
    }
    assert delivered("check_suite", payload, **hook).event is None
    assert delivered("check_suite", payload).event is not None


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        ("ping", {"zen": "Keep it logically awesome.", "hook_id": 1}),
        ("issues", COMMON | {"action": "pinned", "issue": ISSUE}),
        ("issues", {"action": "labeled", "issue": ISSUE, "label": {"name": "x"}}),
        ("issues", COMMON | {"action": ["labeled"], "issue": ISSUE}),
        ("issue_comment", COMMON | {"action": "edited", "issue": ISSUE, "comment": {"id": 1}}),
        ("an_event_of_next_year", COMMON),
        ("issues", None),
        ("issues", []),
        ("issues", "labeled"),
        ("issues", 7),
        ("installation", {"action": "created"}),
    ],
)
def test_what_we_do_not_know_is_a_delivery_without_an_event(event: str, payload: Any) -> None:
    assert delivered(event, payload).event is None


@pytest.mark.parametrize("full_name", ["../user", "acme/..", "a/b/c", "acme/sh op", "acme/", "/x"])
def test_a_repository_that_cannot_be_one_is_none(full_name: str) -> None:
    owner, _, name = full_name.partition("/")
    repo = {"id": 7, "full_name": full_name, "name": name, "owner": {"login": owner}}
    got = delivered("issues", COMMON | KNOWN[0][1] | {"repository": repo})
    assert (got.event, got.repository) == (None, "")


def test_ghosts_and_null_bodies_keep_the_meaning() -> None:
    payload = COMMON | copy.deepcopy(KNOWN[0][1])
    payload["issue"] |= {"user": None, "body": None, "labels": None}
    payload["sender"] = None
    found = delivered("issues", payload).event
    assert isinstance(found, IssueLabeled)
    assert (found.sender.login, found.issue.author.login, found.issue.body) == (
        "ghost",
        "ghost",
        "",
    )


@pytest.mark.parametrize(
    "odd",
    [
        '"x": NaN',
        '"x": -Infinity',
        '"x": 1e999',
        '"x": ' + "9" * 25,
        '"x": ' + "9" * 5000,
        '"x": "\\ud800"',
        '"x": ' + "[" * 2000 + "]" * 2000,
        '"action": "opened", "action": "labeled"',
    ],
)
def test_what_a_strict_parser_would_refuse_is_read_all_the_same(odd: str) -> None:
    rest = json.dumps(COMMON | {k: v for k, v in KNOWN[0][1].items() if k != "action"})[1:]
    action = "" if "action" in odd else '"action": "labeled", '
    body = f"{{{odd}, {action}{rest}".encode()
    found = parse(raw(signed(body)), body, secrets=[SECRET])
    if "[[" in odd:  # deeper than Python goes: a delivery that means nothing
        assert found.event is None or isinstance(found.event, IssueLabeled)
    else:
        assert isinstance(found.event, IssueLabeled)


def test_surrogates_and_nul_become_text_that_a_database_takes() -> None:
    body = json.dumps(COMMON | KNOWN[0][1]).replace("Please.", r"a\ud800b\u0000c\ud83d\ude00")
    found = parse(raw(signed(body.encode())), body.encode(), secrets=[SECRET]).event
    assert isinstance(found, IssueLabeled)
    assert found.issue.body == "a\ufffdb\ufffdc😀"
    to_json(found).encode()


def test_huge_numbers_are_ignored_and_the_rest_is_understood() -> None:
    body = json.dumps(COMMON | KNOWN[0][1]).replace('"state"', f'"x": {"9" * 9_999}, "state"')
    assert isinstance(
        parse(raw(signed(body.encode())), body.encode(), secrets=[SECRET]).event, IssueLabeled
    )
    huge = copy.deepcopy(COMMON | KNOWN[0][1])
    huge["issue"]["number"] = 2**80
    assert delivered("issues", huge).event is None


@pytest.mark.parametrize(
    "body", [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000]
)
def test_deep_nesting_is_a_delivery_without_an_event(body: bytes) -> None:
    assert parse(raw(signed(body)), body, secrets=[SECRET]).event is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"payload=%7B%7D", b'{"a":1}x', b"\0"])
def test_a_body_that_is_not_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(raw(signed(body)), body, secrets=[SECRET])


def test_texts_are_bounded() -> None:
    payload = COMMON | copy.deepcopy(KNOWN[0][1])
    payload["issue"]["body"] = "x" * 1_000_000
    found = delivered("issues", payload).event
    assert isinstance(found, IssueLabeled)
    assert len(found.issue.body) == 70_000


# ── mutations ────────────────────────────────────────────────────────────────────────────────

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["..", "a/b", "\0", "refs/heads/x", -1, 0, 2**64, [], {}, [[]], {"id": {}}]),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)


ODD_ONES: tuple[Any, ...] = (None, "x", 7, [], {}, True, -3, 1.5)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every member of a payload."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, one in inner:
        found.append((*at, key))
        if isinstance(one, dict | list):
            found += places(one, (*at, key))
    return found


def changed(payload: dict[str, Any], where: tuple[Any, ...], odd: Any, remove: bool) -> Any:
    made = copy.deepcopy(payload)
    holder: Any = made
    for key in where[:-1]:
        holder = holder[key]
    if remove:
        del holder[where[-1]]
    else:
        holder[where[-1]] = odd
    return made


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_no_mutation_of_a_delivery_is_an_error(data: st.DataObject) -> None:
    event, own, _ = data.draw(st.sampled_from(KNOWN))
    payload: Any = COMMON | own
    for _ in range(data.draw(st.integers(1, 4))):
        ways = places(payload)
        if not ways:
            break
        where = data.draw(st.sampled_from(ways))
        payload = changed(payload, where, data.draw(ODD), data.draw(st.booleans()))
    got = delivered(event, payload)
    if got.event is not None:
        assert from_json(to_json(got.event)) == got.event


@pytest.mark.parametrize(("event", "own", "kind"), KNOWN)
def test_each_member_may_be_missing_null_or_of_another_type(
    event: str, own: dict[str, Any], kind: type
) -> None:
    payload = COMMON | own
    for where in places(payload):
        for odd in ODD_ONES:
            got = delivered(event, changed(payload, where, odd, remove=False))
            assert got.event is None or type(got.event) in {kind}
        delivered(event, changed(payload, where, None, remove=True))


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200), signature=st.text(max_size=80))
def test_any_bytes_are_a_delivery_or_an_input_error(body: bytes, signature: str) -> None:
    for headers in (signed(body), signed(body) | {"X-Hub-Signature-256": signature}, {}):
        try:
            parse(raw(headers), body, secrets=[SECRET])
        except InputError:
            continue


def test_random_bytes_in_a_signed_payload_are_no_error() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    body = json.dumps(COMMON | KNOWN[0][1]).encode()
    for _ in range(2_000):
        mutable = bytearray(body)
        for _ in range(rng.randint(1, 5)):
            mutable[rng.randrange(len(mutable))] = rng.randrange(256)
        bad = bytes(mutable)
        try:
            parse(raw(signed(bad)), bad, secrets=[SECRET])
        except Unreadable:
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}: {bad!r}") from error


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"kind": "Nothing"}', "x", '{"kind": 1}',
                                  '{"kind": "Pushed", "repo": 1}'])  # fmt: skip
def test_what_is_no_event_of_ours_is_said_to_be_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        from_json(text)
