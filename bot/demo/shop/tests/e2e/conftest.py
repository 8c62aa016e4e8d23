"""A customer with a cookie jar, in front of the shop at `E2E_BASE_URL`."""

import json
import os
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import pytest


class Answer:
    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text

    def json(self) -> object:
        return json.loads(self.text)


class Customer:
    """Follows redirects and keeps cookies, as a browser does."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/")
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(self, path: str) -> Answer:
        return self._ask(path, None, {})

    def submit(self, path: str, **fields: str) -> Answer:
        """Send a form."""
        return self._ask(path, urlencode(fields).encode(), {})

    def post_json(self, path: str, body: object) -> Answer:
        return self._ask(path, json.dumps(body).encode(), {"content-type": "application/json"})

    def _ask(self, path: str, data: bytes | None, headers: dict[str, str]) -> Answer:
        request = urllib.request.Request(self._base + path, data=data, headers=headers)
        try:
            with self._opener.open(request, timeout=10) as response:
                return Answer(response.status, response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode())


@pytest.fixture
def customer() -> Customer:
    return Customer(os.environ["E2E_BASE_URL"])
