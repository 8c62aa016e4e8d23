import pytest

from bot.workflow.dependencies import is_lock, new_dependencies


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("requirements.txt", "a\n", "a>=2\n# c\n-r x\nB_c[d]~=1\n", ["b-c"]),
        ("requirements/dev.txt", None, "a @ https://x/y\n", ["a"]),
        (
            "pyproject.toml",
            '[project]\ndependencies=["a"]\n',
            '[project]\ndependencies=["a","b"]\noptional-dependencies={x=["c"]}\n'
            '[dependency-groups]\nd=["e"]\n[build-system]\nrequires=["f"]\n'
            '[tool.poetry.dependencies]\npython="^3"\ng="1"\n',
            ["b", "c", "e", "f", "g"],
        ),
        ("web/package.json", '{"dependencies":{"a":"1"}}', '{"devDependencies":{"b":"1"}}', ["b"]),
        ("go.mod", "module x\n", "module x\nrequire (\n\tgolang.org/x/net v0.1.0\n)\n", None),
        ("Cargo.toml", "", '[dependencies]\nserde="1"\n[workspace.dependencies]\nlog="0"\n', None),
        ("pyproject.toml", "not toml [", '[project]\ndependencies=["a"]\n', ["a"]),
        ("package.json", None, None, []),
    ],
)
def test_what_a_manifest_newly_asks_for_is_named(
    path: str, old: str | None, new: str | None, expected: list[str] | None
) -> None:
    named = {"go.mod": ["golang.org/x/net"], "Cargo.toml": ["log", "serde"]}
    assert new_dependencies(path, old, new) == (named[path] if expected is None else expected)


def test_other_files_are_no_manifest() -> None:
    assert new_dependencies("src/main.py", "", "import x") is None


@pytest.mark.parametrize("path", ["pyproject.toml", "package.json"])
def test_a_manifest_that_became_unreadable_is_an_error(path: str) -> None:
    with pytest.raises(ValueError):
        new_dependencies(path, "", "[not it")


def test_lock_files_are_known_by_name() -> None:
    assert is_lock("web/package-lock.json")
    assert not is_lock("lock.py")
