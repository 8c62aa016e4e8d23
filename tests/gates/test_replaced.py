"""Tests that were there before and now run with a substitute for what they test."""

import pytest

from bot.workflow.weakening import TestFile, Weakening, find_weakening

PY = """import pytest
import shop
from unittest.mock import patch

def cart_of(n):
    return shop.Cart(n)

@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(shop, "rate", lambda: 2)

def test_price():
    assert cart_of(2).price() == 10

class TestCart:
    def test_empty(self):
        assert shop.Cart().total == 0
"""

JS = """import { vi } from 'vitest'
import * as cart from './cart'
describe('cart', () => {
  it('adds up', () => {
    expect(cart.total()).toBe(10)
  })
})
describe('till', () => {
  it('opens', () => { expect(cart.open()).toBe(1) })
})
"""


def found(path: str, old: str, new: str) -> list[Weakening]:
    return find_weakening([TestFile(path=path, old=old, new=new)])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("def test_price", "@patch('shop.price')\ndef test_price", "a substitute for shop.price"),
        ("def test_price", "@patch.object(shop, 'price')\ndef test_price", "shop.price"),
        ("():\n    assert cart", "(fake):\n    assert cart", "a substitute for shop.rate"),
        (
            "def test_price",
            "@pytest.mark.usefixtures('fake')\ndef test_price",
            "a substitute for shop.rate",
        ),
        (
            "    assert cart",
            "    with patch(f'{shop.__name__}.price'):\n        pass\n    assert cart",
            "test_price now runs",
        ),
        (
            "():\n    assert cart",
            "(mocker):\n    mocker.patch('shop.price')\n    assert cart",
            "shop.price",
        ),
        (
            "():\n    assert cart",
            "(m):\n    m.setattr('shop.price', int)\n    assert cart",
            "price",
        ),
        (
            "    assert cart",
            "    shop.Cart.price = lambda self: 10\n    assert cart",
            "shop.Cart.price",
        ),
        (
            "    assert cart",
            "    setattr(shop, 'price', lambda: 10)\n    assert cart",
            "shop.price",
        ),
        ("    return shop", "    patch('shop.Cart').start()\n    return shop", "for shop.Cart"),
        (
            "class TestCart:",
            "class TestCart:\n    def setup_method(self):\n        patch('shop.Cart').start()\n",
            "TestCart.test_empty now runs",
        ),
        (
            "class TestCart:",
            "@patch('shop.Cart')\nclass TestCart:",
            "TestCart.test_empty now runs",
        ),
        (
            "def test_price",
            "patch('shop.Cart').start()\n\ndef test_price",
            "test_price and 1 more now run with a substitute for shop.Cart",
        ),
        (
            "def test_price",
            "import sys\nsys.modules['shop'] = object()\n\ndef test_price",
            "sys.modules",
        ),
        (
            "@pytest.fixture\n",
            "@pytest.fixture(autouse=True)\n",
            "test_price and 1 more now run with a substitute for shop.rate",
        ),
    ],
)
def test_a_python_test_that_no_longer_runs_the_real_thing_is_named(
    old: str, new: str, words: str
) -> None:
    assert old in PY
    (weaker,) = [w for w in found("tests/test_shop.py", PY, PY.replace(old, new)) if w.certain]
    assert words in weaker.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    assert cart", "    patch = client.patch('/carts/1')\n    assert cart"),
        (
            "():\n    assert cart",
            "(monkeypatch):\n    monkeypatch.setenv('A', 'b')\n    assert cart",
        ),
        ("    assert cart", "    cart = cart_of(1)\n    cart.size = shop.LARGE\n    assert cart"),
        (
            "class TestCart",
            "@patch('shop.rate')\ndef test_new(m):\n    assert shop.x\n\nclass TestCart",
        ),
        ("class TestCart", "def test_new(fake):\n    assert shop.rate() == 2\n\nclass TestCart"),
    ],
)
def test_what_replaces_nothing_in_a_test_that_was_there_is_let_through(old: str, new: str) -> None:
    assert old in PY
    assert found("tests/test_shop.py", PY, PY.replace(old, new)) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("import *", "vi.mock('./cart', () => ({}))\nimport *", "1 more now run with a substitute"),
        ("import *", "jest.mock('./cart')\nimport *", "cart › adds up and 1 more"),
        ("import *", "vi.mock(import('./cart.js'), f)\nimport *", "a substitute for ./cart"),
        ("import *", "vi.mock<typeof import('./cart')>('./cart')\nimport *", "./cart"),
        ("import *", "mock.module('./cart', { namedExports: {} })\nimport *", "./cart"),
        ("import *", "vi.stubGlobal('fetch', fake)\nimport *", "a substitute for fetch"),
        ("import *", "beforeEach(() => { globalThis.fetch = fake })\nimport *", "for fetch"),
        ("\n})\n", "\n  it('new', () => { vi.mock('./cart') })\n})\n", "and 1 more now run"),
        (
            "    expect(cart.total",
            "    vi.spyOn(cart, 'total').mockReturnValue(10)\n    expect(cart.total",
            "cart › adds up now runs with a substitute for cart.total",
        ),
        (
            "    expect(cart.total",
            "    const spy = jest.spyOn(cart, 'total')\n    spy.mockReturnValue(10)\n"
            "    expect(cart.total",
            "a substitute for cart.total",
        ),
        (
            "    expect(cart.total",
            "    mock.method(cart, 'total', () => 10)\n    expect(cart.total",
            "a substitute for cart.total",
        ),
        (
            "describe('till', () => {",
            "describe('till', () => {\n  beforeEach(() => { vi.stubGlobal('till', {}) })",
            "till › opens now runs with a substitute for till",
        ),
    ],
)
@pytest.mark.parametrize("path", ["src/cart.test.ts", "__tests__/cart.jsx"])
def test_a_script_test_that_no_longer_runs_the_real_thing_is_named(
    path: str, old: str, new: str, words: str
) -> None:
    assert old in JS
    weaker = [w for w in found(path, JS, JS.replace(old, new, 1)) if w.certain]
    assert words in weaker[0].text
    assert len(weaker) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import *", "// vi.mock('./cart')\nimport *"),
        ("import *", "const s = \"vi.mock('./cart')\"\nimport *"),
        ("import *", "vi.mock('./cart', { spy: true })\nimport *"),
        ("    expect(cart.total", "    vi.spyOn(cart, 'total')\n    expect(cart.total"),
        ("    expect(cart.total", "    mock.method(cart, 'total')\n    expect(cart.total"),
        (
            "    expect(cart.total",
            "    const f = vi.fn().mockReturnValue(1)\n    expect(cart.total",
        ),
        ("\n})\n", "\n  it('new', () => { vi.stubGlobal('x', 1); expect(x).toBe(y) })\n})\n"),
        (
            "describe('till'",
            "describe('new', () => {\n  beforeEach(() => { vi.stubGlobal('x', 1) })\n"
            "  it('n', () => { expect(cart.n).toBe(1) })\n})\ndescribe('till'",
        ),
    ],
)
def test_what_replaces_nothing_in_a_script_that_was_there_is_let_through(
    old: str, new: str
) -> None:
    assert old in JS
    assert found("a.test.ts", JS, JS.replace(old, new, 1)) == []


@pytest.mark.parametrize(
    ("path", "text", "old", "new"),
    [
        ("a.test.ts", "vi.mock('./rates')\n" + JS, "./rates", "./money/rates.js"),
        ("a.test.ts", "vi.stubGlobal('x', 1)\n" + JS, "('x', 1)", "('console', 1)"),
        ("test_a.py", "patch('shop.a.rate').start()\n" + PY, "shop.a.rate", "shop.b.rate"),
        ("test_a.py", "patch('shop.rate').start()\n" + PY, "shop.rate", "shop.time.sleep"),
    ],
)
def test_what_only_moved_and_a_tests_surroundings_are_shown_and_not_certain(
    path: str, text: str, old: str, new: str
) -> None:
    (shown,) = found(path, text, text.replace(old, new))
    assert "a substitute for" in shown.text
    assert not shown.certain


def test_a_fixture_that_comes_with_the_change_is_followed_into_its_conftest() -> None:
    added = "def real(m):\n    pass\n\ndef unreal(m):\n    m.setattr('shop.price', lambda n: 10)\n"
    conftest = TestFile(path="tests/conftest.py", old=None, new=added)
    for asked, words in (
        ("unreal", ["test_price now runs with a substitute for shop.price"]),
        ("real", []),
    ):
        new = PY.replace("def test_price()", f"def test_price({asked})")
        changed = TestFile(path="tests/test_shop.py", old=PY, new=new)
        assert [w.text for w in find_weakening([conftest, changed])] == words


def test_a_new_folder_of_stand_ins_is_shown() -> None:
    files = [TestFile(path="__mocks__/axios.js", old=None, new="module.exports = {}")]
    (shown,) = find_weakening(files)
    assert "stands in for a module" in shown.text
    assert not shown.certain
