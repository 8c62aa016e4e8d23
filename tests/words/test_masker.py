"""A secret is blanked however it is spelt, and nothing else is."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.log import MASK, MIN_SECRET, Masker

SECRET = "k9/Zq+ü w7=ä~Tr0ub4dor"
RAW = SECRET.encode()


@pytest.mark.parametrize(
    "spelt",
    [
        SECRET,
        base64.b64encode(RAW).decode(),
        base64.b64encode(RAW).decode().rstrip("="),
        base64.urlsafe_b64encode(RAW).decode(),
        base64.b64encode(b"user:" + RAW).decode(),
        base64.b64encode(b"x-access-token:" + RAW + b"\n").decode(),
        base64.urlsafe_b64encode(b'{"key": "' + RAW + b'"}').decode(),
        RAW.hex(),
        RAW.hex().upper(),
        (b"before" + RAW + b"after").hex(),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower().replace("zq", "Zq").replace("tr", "Tr"),
        quote_plus(SECRET),
        f"https://x.test/?key={quote(SECRET, safe='')}&more=1",
        json.dumps({"key": SECRET}, ensure_ascii=False),
    ],
)
def test_a_secret_is_blanked_in_every_spelling(spelt: str) -> None:
    shown = Masker([SECRET])(f"<{spelt}>")
    assert MASK in shown
    assert "Tr0ub4dor" not in shown
    left = shown.replace(MASK, "")
    assert len(left) < len(f"<{spelt}>") - MIN_SECRET


@given(st.binary(max_size=40), st.binary(max_size=40), st.text(min_size=12, max_size=40))
def test_no_place_in_a_longer_base64_hides_it(before: bytes, after: bytes, secret: str) -> None:
    raw = secret.encode("utf-8", "replace")
    secret = raw.decode()
    shown = Masker([secret])(base64.b64encode(before + raw + after).decode())
    assert MASK in shown


def test_a_key_of_many_lines_is_blanked_as_it_is_and_in_json() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(["QUJDREVG" * 8] * 4)
    key += "\n-----END RSA PRIVATE KEY-----\n"
    for text in (key, json.dumps({"key": key}), key.replace("\n", "\\n")):
        assert "QUJDREVG" not in Masker([key])(text)


@given(st.text(max_size=200))
def test_other_words_stay_as_they_are(text: str) -> None:
    assert Masker(["a-secret-that-nobody-writes"])(text) == Masker()(text)
