import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workflow.secrets import find_secrets

RANDOM = random.Random(11)


def noise(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(RANDOM.choice(alphabet) for _ in range(length))


SECRETS = [
    ("GitHub token", f"ghp_{noise(36)}"),
    ("GitHub token", f"ghs_12345_{noise(200)}.{noise(200)}-{noise(90)}"),
    ("GitHub token", f"github_pat_{noise(60)}"),
    ("AWS access key", "AKIA" + noise(16, string.ascii_uppercase + "234567")),
    ("AWS secret key", f"aws_secret_access_key = {noise(40)}"),
    ("Google API key", f"AIza{noise(35)}"),
    ("Slack token", f"xoxb-{noise(12, string.digits)}-{noise(24)}"),
    ("Stripe key", f"sk_live_{noise(24)}"),
    ("Anthropic key", f"sk-ant-api03-{noise(60)}"),
    ("OpenAI key", f"sk-proj-{noise(48)}"),
    ("npm token", f"npm_{noise(36)}"),
    ("JSON web token", f"eyJ{noise(20)}.eyJ{noise(40)}.{noise(43)}"),
    ("password in a URL", f"postgres://shop:{noise(16)}@db.internal/shop"),
    ("value of DB_PASSWORD", f'DB_PASSWORD = "{noise(20)}"'),
    ("value of apiKey", f"  apiKey: '{noise(24)}',"),
    ("value of SECRET_TOKEN", f"SECRET_TOKEN={noise(32)}"),
]


@pytest.mark.parametrize(("kind", "text"), SECRETS)
def test_a_secret_is_found_and_never_repeated(kind: str, text: str) -> None:
    found = list(find_secrets([(7, f"  {text}")]))
    assert [(s.kind, s.line) for s in found][:1] == [(kind, 7)]
    assert all(len(s.shown.split("…")[0]) <= 11 for s in found)


@pytest.mark.parametrize("opened", ["RSA ", "EC ", "OPENSSH ", ""])
def test_a_private_key_is_found_where_its_body_follows(opened: str) -> None:
    header = f"-----BEGIN {opened}PRIVATE KEY-----"
    assert [s.line for s in find_secrets([(3, header), (4, noise(64))])] == [3]
    assert list(find_secrets([(3, f'KEY = "{header}\\n{noise(64)}"')]))
    assert not list(find_secrets([(3, f"if text.startswith('{header}'):"), (4, "    return")]))


@pytest.mark.parametrize(
    "text",
    [
        'password = os.environ["SHOP_PASSWORD_FOR_THE_DATABASE"]',
        'token = get_token("production-database-1")',
        'api_key: "your-api-key-goes-here-1"',
        "AKIAIOSFODNN7EXAMPLE",
        'secret = "${{ secrets.DEPLOY_TOKEN_2 }}"',
        "password: <your password 12345>",
        'integrity "sha512-' + noise(86) + '=="',
        "commit 3f9c2ab8d1e0f4a5b6c7d8e9f0a1b2c3d4e5f607",
        'passwords_are_hashed_with = "argon2id-with-salt"',
        "postgres://user:password@localhost/db",
        "https://example.com/a:b@c",
        'token_type = "Bearer"',
        'csrf_token = "csrf-token-header"',
        "def test_the_secret_is_masked_in_every_spelling_of_it() -> None:",
        'monkeypatch.setenv("TOKEN", "x" * 40)',
        "uuid = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'",
    ],
)
def test_what_only_looks_like_one_is_let_through(text: str) -> None:
    assert list(find_secrets([(1, text)])) == []


@given(st.lists(st.text(max_size=300), max_size=5))
def test_no_text_makes_it_raise(lines: list[str]) -> None:
    list(find_secrets(enumerate(lines, start=1)))


@pytest.mark.parametrize("unit", ["password", "aws key ", "eyJ", "a://a:", "AKIA", "token='", "-"])
def test_hostile_lines_cost_time_in_proportion(unit: str) -> None:
    assert len(list(find_secrets([(1, unit * (200_000 // len(unit)))]))) <= 2
