"""chimera.yml: what a file may say, how its mistakes are told, and how files become one."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config.choices import ApprovalMode, RepoRole, Verb
from bot.config.layers import flat_values, load_repo_config, problems_in
from bot.config.repo import RepoConfig
from bot.config.safety import RULES
from bot.errors import ConfigError

FILE = ".github/chimera.yml"


def problems(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as caught:
        load_repo_config([(FILE, data)])
    return [problem.removeprefix(FILE + ":") for problem in caught.value.problems]


def test_nothing_written_is_the_default() -> None:
    assert load_repo_config([]).config == RepoConfig()
    assert load_repo_config([(FILE, b""), ("org", b"# only a comment\n")]).config == RepoConfig()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("version: 1\nlimits:\n  round: 3\n", "3:3: unknown key 'round'. Did you mean 'rounds'?"),
        ("triger: {label: x}", "1:1: unknown key 'triger'. Did you mean 'trigger'?"),
        ("checks: {zzz: 1}", "1:10: unknown key 'zzz'. Known here: test."),
        ("a: &x 1\nb: *x\n", "2:4: an alias: write the value out"),
        ("version: 1\nsetup: []\nversion: 1\n", "3:1: 'version' is already on line 1"),
        ("checks: {test: a, test: b}\n", "1:19: 'test' is already on line 1"),
        ("- a\n- b\n", "1:1: not a mapping: write `key: value` lines"),
        ("limits: {rounds: '3'}", '1:10: limits.rounds must be a whole number, not "3".'),
        ("limits: {rounds: true}", "1:10: limits.rounds must be a whole number, not true."),
        ("limits: {rounds: 0}", "1:10: limits.rounds must be greater than or equal to 1, not 0."),
        ("limits: {cost_usd: .inf}", "1:10: limits.cost_usd must be a finite number"),
        ("version: 2", "1:1: version must be 1, not 2."),
        ("commands: {aprove: admin}", "1:12: unknown command 'aprove'. Did you mean 'approve'?"),
        ("commands: {approve: mantain}", "Did you mean 'maintain'?"),
        ("deploy: {production: {approval: requird}}", "Did you mean 'required'?"),
        ("setup: [ok, 7]", "1:13: setup.1 must be text, in quotes, not 7."),
        ("setup: pip install", '1:1: setup must be a list such as [one, two], not "pip install".'),
        ('setup: ["a\\nb"]', "1:9: setup.0 must be one line"),
        ("version: 1\ne2e:\n#  path: x\n", "2:1: e2e is empty: leave it out, or write what"),
        ("e2e: {serve: }", '1:7: e2e.serve is empty: leave it out, or write "" for none.'),
        ("limits: {rounds: }", "1:10: limits.rounds is empty: leave it out."),
        ("e2e: tests/e2e", "e2e must be a section, with `key: value` lines below it"),
        ("trigger: {label: ''}", 'trigger.label must not be empty, not "".'),
        ("trigger: {color: 531977}", "trigger.color must be text, in quotes, not 531977."),
        ("trigger: {color: '#5319e7'}", "must be six small hexadecimal digits without #"),
        ("e2e: {hosts: ['https://a.test']}", "1:15: e2e.hosts.0 must be a host such as"),
        ("e2e: {target_url: a.test}", "e2e.target_url must be a whole address such as https://"),
        ("deploy: {staging: {workflow: .github/workflows/d.yml}}", "such as deploy.yml"),
        ("trigger: {roles: [owner]}", "'maintain' or 'admin', not \"owner\"."),
        ("pull: {branch: 'a/{nope}'}", "must have no {nope}: there are {issue}, {slug} and {task}"),
        ("pull: {branch: '{issue.real}'}", "must have no {issue.real}"),
        ("pull: {branch: 'a/{issue'}", "must close each { with a }"),
        ("pull: {branch: 'a..{issue}'}", "must make a name that git takes for a branch"),
        ("pull: {branch: '{issue}.lock'}", "must make a name that git takes for a branch"),
        ("labels: {done: {name: Chimera}}", "1:17: labels.done.name is called like trigger.label."),
        ("trigger: {label: 'chimera:done'}", "1:11: trigger.label is called like labels.done.name"),
        ("e2e:\n\tpath: x", "2:1: found character '\\t'"),
        ("e2e:\n\tpath: x", "indent with spaces, not with tabs"),
        ("e2e:\n  path: x\n test: y", "is it indented like the lines around it?"),
        ("checks: {test: 'x", "a quote or a bracket is not closed"),
        ("checks: {test: @x}", "put the text in quotes"),
        ("trigger: 5", "1:1: trigger"),
        ("e2e: {path: ../out}", "1:7: e2e.path must be a path inside the repository"),
        ("e2e: {path: /out}", "must be a path inside the repository"),
        ("labels: {queued: {color: red}}", "1:19: labels.queued.color"),
        ("checks: {test: !!python/name:os.system x}", "only plain values"),
        ("checks: !thing {test: x}", "only plain values"),
        ("<<: {version: 1}", "1:1: a key must be a plain word"),
        ("? [a]\n: b", "a key must be a plain word"),
        ("7: x", "a key must be a plain word"),
        ("version: !!int x", "1:10: a value that is not what it looks like"),
        ("version: " + "9" * 6000, "1:10: a value that is not what it looks like"),
        ('pull: {title: "\\ud800"}', "half of a character"),
        ("a: 1\n---\nb: 2\n", "expected a single document"),
        ("a: [1,\nb", "2:2: expected ',' or ']'"),
        ("a: b: c", "1:5: mapping values are not allowed here"),
        ("x: " + "[" * 25 + "]" * 25, "more than 20 levels"),
        (b"version: 1\n# \xff\n", "2:1: not UTF-8"),
        (b"a: \x07", "a character that YAML does not allow"),
        (b"#" * 65_537, "larger than 64 KiB"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text: str | bytes, expected: str) -> None:
    told = problems(text)
    assert len(told) == 1
    assert expected in told[0]


def test_two_labels_that_two_files_call_alike_are_told_where_they_stand() -> None:
    own, org = b"labels: {done: {name: ended}}", b"labels:\n  failed: {name: Ended}\n"
    assert load_repo_config([(FILE, own)]).config.labels.done.name == "ended"
    with pytest.raises(ConfigError) as caught:
        load_repo_config([(FILE, own), ("org.yml", org)])
    assert sorted(caught.value.problems) == [
        f"{FILE}:1:17: labels.done.name is called like labels.failed.name. Give it another name.",
        "org.yml:2:12: labels.failed.name is called like labels.done.name. Give it another name.",
    ]


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_repo_config([(FILE, b"a: 1\nb: 2\n"), ("org.yml", b"c: 3"), ("server.yml", b"[")])
    assert [p.partition(": ")[0] for p in sorted(caught.value.problems)] == [
        f"{FILE}:1:1",
        f"{FILE}:2:1",
        "org.yml:1:1",
        "server.yml:1:2",
    ]


def test_a_problem_keeps_its_line_for_an_annotation() -> None:
    [problem] = problems_in(FILE, b"version: 1\nlimits:\n  round: 3\n")
    assert (problem.place.file, problem.place.line, problem.place.column) == (FILE, 3, 3)
    assert problems_in(FILE, b"version: 1") == []
    assert problems_in(FILE, b"\n- x")[0].place.line == 2


def test_sixty_four_kibibytes_and_twenty_levels_are_still_read() -> None:
    text = b"version: 1\n#"
    assert load_repo_config([(FILE, text + b"x" * (65_536 - len(text)))]).config == RepoConfig()
    told = problems("x: " + "[" * 19 + "]" * 19)
    assert told == ["1:1: unknown key 'x'." + told[0].partition("'x'.")[2]]


def test_maps_merge_deep_and_lists_replace() -> None:
    effective = load_repo_config(
        [
            (FILE, b"setup: [c]\ndeploy: {staging: {url: 'https://s.test'}}\n"),
            ("org.yml", b"setup: [a, b]\ndeploy: {staging: {workflow: d.yml, url: 'http://x'}}\n"),
        ]
    )
    assert effective.config.setup == ("c",)
    assert effective.config.deploy.staging.workflow == "d.yml"
    assert effective.config.deploy.staging.url == "https://s.test"
    assert effective.notes == ()


def test_a_renamed_label_keeps_its_colour() -> None:
    config = load_repo_config([(FILE, b"labels: {queued: {name: later}}")]).config
    assert config.labels.queued.name == "later"
    assert config.labels.queued.color == RepoConfig().labels.queued.color


def test_each_value_has_its_origin() -> None:
    effective = load_repo_config(
        [(FILE, b"version: 1\nlimits:\n  rounds: 2\n"), ("org.yml", b"limits: {turns: 4}\n")]
    )
    assert effective.origin("limits.rounds") == f"{FILE}:3"
    assert effective.origin("limits.turns") == "org.yml:1"
    assert effective.origin("limits.attempts") == "default"
    assert set(effective.origins) <= set(flat_values(effective.config))


Get = Callable[[RepoConfig], object]


@pytest.mark.parametrize(
    ("far", "near", "get", "expected"),
    [
        ("limits: {rounds: 2}", "limits: {rounds: 9}", lambda c: c.limits.rounds, 2),
        ("limits: {rounds: 9}", "limits: {rounds: 2}", lambda c: c.limits.rounds, 2),
        ("limits: {cost_usd: 0}", "limits: {cost_usd: 1}", lambda c: c.limits.cost_usd, 0),
        (
            "protect: {paths: [a]}",
            "protect: {paths: [b, a]}",
            lambda c: c.protect.paths,
            ("a", "b"),
        ),
        ("protect: {paths: [a]}", "protect: {paths: []}", lambda c: c.protect.paths, ("a",)),
        ("protect: {max_files: 5}", "protect: {max_files: 6}", lambda c: c.protect.max_files, 5),
        (
            "trigger: {roles: [admin, write]}",
            "trigger: {roles: [read, write]}",
            lambda c: c.trigger.roles,
            (RepoRole.WRITE,),
        ),
        (
            "deploy: {production: {approval: required}}",
            "deploy: {production: {approval: automatic}}",
            lambda c: c.deploy.production.approval,
            ApprovalMode.REQUIRED,
        ),
        (
            "deploy: {production: {approval: automatic}}",
            "deploy: {production: {approval: on-merge}}",
            lambda c: c.deploy.production.approval,
            ApprovalMode.ON_MERGE,
        ),
        (
            "deploy: {production: {prevent_self_approval: true}}",
            "deploy: {production: {prevent_self_approval: false}}",
            lambda c: c.deploy.production.prevent_self_approval,
            True,
        ),
        (
            "commands: {approve: admin}",
            "commands: {approve: read}",
            lambda c: c.commands[Verb.APPROVE],
            RepoRole.ADMIN,
        ),
        (
            "cage: {setup_hosts: [index.example.test]}",
            "cage: {setup_hosts: [index.example.test, elsewhere.example.test]}",
            lambda c: c.cage.setup_hosts,
            ("index.example.test",),
        ),
        ("trigger: {label: a}", "trigger: {label: b}", lambda c: c.trigger.label, "b"),
    ],
)
def test_safety_only_tightens(far: str, near: str, get: Get, expected: object) -> None:
    config = load_repo_config([(FILE, near.encode()), ("org", far.encode())]).config
    assert get(config) == expected


def test_what_was_left_out_is_told_with_both_places() -> None:
    effective = load_repo_config(
        [(FILE, b"limits:\n  rounds: 9\n"), ("org.yml", b"limits: {rounds: 2}")]
    )
    assert effective.notes == (f"{FILE}:2:3: limits.rounds is 2: org.yml:1:10 binds it",)
    assert effective.origin("limits.rounds") == "org.yml:1"


def test_what_nobody_wrote_binds_nobody() -> None:
    looser = b"limits: {rounds: 9}\ndeploy: {production: {approval: automatic}}"
    config = load_repo_config([(FILE, looser), ("org.yml", b"version: 1")]).config
    assert config.limits.rounds == 9
    assert config.deploy.production.approval is ApprovalMode.AUTOMATIC


def test_every_safety_key_is_a_key_of_the_model() -> None:
    known = flat_values(RepoConfig())
    for key in RULES:
        section = key.removesuffix(".*")
        assert key in known or section == "commands" or any(k.startswith(section) for k in known)


numbers = st.integers(min_value=1, max_value=20)


@given(st.lists(numbers, min_size=1, max_size=4))
def test_the_tightest_limit_of_any_order_of_files_counts(limits: list[int]) -> None:
    layers = [(f"{n}.yml", b"limits: {rounds: %d}" % limit) for n, limit in enumerate(limits)]
    assert load_repo_config(layers).config.limits.rounds == min(limits)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda t: t.encode("utf-8"))))
def test_any_bytes_are_a_configuration_or_a_config_error(data: bytes) -> None:
    for problem in problems_in(FILE, data):
        assert problem.place.file == FILE
        assert 1 <= problem.place.line <= data.count(b"\n") + data.count(b"\r") + 4
        assert problem.text
