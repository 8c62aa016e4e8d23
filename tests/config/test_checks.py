"""The command of a repository's own tests."""

import pytest

from bot.config.repo import E2E, Checks, RepoConfig


@pytest.mark.parametrize(
    ("served", "given", "command"),
    [
        ("", "pytest -q", "pytest -q"),
        ("python app.py {port}", "pytest -q", "pytest -q --ignore='tests/e 2 e'"),
        ("python app.py {port}", "make test", "make test"),
    ],
)
def test_the_default_leaves_out_the_tests_that_want_a_server(
    served: str, given: str, command: str
) -> None:
    e2e = E2E(path="tests/e 2 e", serve=served)
    assert RepoConfig(e2e=e2e, checks=Checks(test=given)).checks_command == command
