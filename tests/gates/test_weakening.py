import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workflow.weakening import (
    TestFile,
    Weakening,
    find_weakening,
    how_compared,
    is_a_real_test,
)

PY = """import pytest

@pytest.mark.parametrize("n", [1, 2, 3])
def test_price(n):
    assert price(n) == n * 5
    assert price(-n) is None

class TestCart:
    def test_empty(self):
        assert Cart().total == 0
"""

JS = """import { cart } from './cart'
describe('cart', () => {
  it('adds up', () => {
    expect(cart.total()).toBe(10)
    expect(cart.lines).toHaveLength(2)
  })
  test.each([[1], [2]])('holds %i', (n) => { expect(n).toBe(cart.n) })
})
"""


def weakened(path: str, old: str | None, new: str | None, **others: str) -> list[Weakening]:
    files = [TestFile(path=path, old=old, new=new)]
    files += [
        TestFile(path=p.replace("__", "/") + ".py", old=None, new=t) for p, t in others.items()
    ]
    return find_weakening(files)


def certain(path: str, old: str | None, new: str | None) -> list[str]:
    return [w.text for w in weakened(path, old, new) if w.certain]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    assert price(-n) is None\n", "", "can fail are 1; it had 2"),
        ("assert price(-n) is None", "assert True", "can fail are 1; it had 2"),
        ("assert price(-n) is None", "assert price(-n) is None or True", "can fail are 1"),
        ("assert price(-n) is None", "assert (price(-n) is None, 'x')", "can fail are 1"),
        ("assert price(-n) is None", "assert n == n", "can fail are 1; it had 2"),
        ("    assert price(n)", "    return\n    assert price(n)", "can fail are 0"),
        ("    assert price(n)", "    if False:\n        assert price(n)", "can fail are 1"),
        ("def test_price", "@pytest.mark.skip\ndef test_price", "is now skipped"),
        ("def test_price", "@pytest.mark.xfail(strict=False)\ndef test_price", "is now skipped"),
        ("    assert price(n)", "    pytest.skip('x')\n    assert price(n)", "is now skipped"),
        ("import pytest\n", "import pytest\npytestmark = pytest.mark.skip\n", "is now skipped"),
        ("import pytest\n", "import pytest\npytest.importorskip('x')\n", "is now skipped"),
        ("class TestCart:", "class TestCart:\n    __test__ = False", "is now skipped"),
        ("[1, 2, 3]", "[1]", "has 1 parameter sets; it had 3"),
        ("def test_price", "def price_test", "test_price was deleted"),
        ("class TestCart", "class Cart", "TestCart.test_empty was deleted"),
        (
            "    assert price(-n) is None\n",
            "    try:\n        assert price(-n) is None\n    except Exception: pass\n",
            "catches its own",
        ),
        (
            "    assert price(-n) is None\n",
            "    with contextlib.suppress(Exception):\n        assert price(-n) is None\n",
            "catches its own",
        ),
        ("def test_price(n):", "def test_price(n:", "can no longer be read"),
        (
            "    assert price(n)",
            "    if FULL:\n        assert price(n)",
            "asserts under a condition",
        ),
        ("    assert price(n)", "    for _ in few(): assert price(n)", "asserts under a condition"),
        ("    assert price(n)", "    def later(): assert price(n)", "asserts under a condition"),
        ("    assert price(n)", "    if QUICK:\n        return\n    assert price(n)", "condition"),
        (
            "    assert price(n)",
            "    try:\n        x()\n    except E:\n        assert price(n)",
            "cond",
        ),
        ("class TestCart:", "del test_price\n\nclass TestCart:", "test_price was deleted"),
        ("class TestCart:", "test_price = None\n\nclass TestCart:", "test_price was deleted"),
        (
            "class TestCart:",
            "from x import test_price\n\nclass TestCart:",
            "test_price was deleted",
        ),
    ],
)
def test_a_weaker_python_test_is_named(old: str, new: str, words: str) -> None:
    assert old in PY
    found = certain("tests/test_shop.py", PY, PY.replace(old, new))
    assert len(found) == (2 if "deleted" not in words and old.startswith("import") else 1)
    assert words in found[0]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import pytest", "import pytest, shop"),
        ("[1, 2, 3]", "[1, 2, 3, 4]"),
        ("    assert price(-n) is None\n", "    assert price(-n) is None\n    assert price(0)\n"),
        ("class TestCart", "def test_new():\n    assert price(9)\n\nclass TestCart"),
        ("test_empty", "test_an_empty_cart_costs_nothing"),
        ("    assert price(-n)", "    with clock():\n        assert price(-n)"),
        ("    assert price(-n)", "    for _ in (1, 2):\n        assert price(-n)"),
        (
            "    assert price(-n) is None\n",
            "    try:\n        assert price(-n) is None\n    finally:\n        close()\n",
        ),
        ("def test_price", "@pytest.mark.slow\ndef test_price"),
    ],
)
def test_a_stronger_or_renamed_test_is_let_through(old: str, new: str) -> None:
    assert weakened("tests/test_shop.py", PY, PY.replace(old, new)) == []


def test_a_decorator_of_a_library_is_shown_and_one_that_the_change_wrote_is_refused() -> None:
    decorated = PY.replace("def test_price", "@kinder\ndef test_price")
    (shown,) = weakened("tests/test_a.py", PY, decorated)
    assert (shown.certain, shown.text) == (False, "test_price is now decorated with kinder")
    ours = "def kinder(f):\n    return lambda: None\n"
    (refused,) = weakened("tests/test_a.py", PY, decorated, shop__kinder=ours)
    assert refused.certain


def test_a_table_without_rows_is_a_test_that_never_runs() -> None:
    rows = "@pytest.mark.parametrize('n', [1, 2])\ndef test_n(n):\n    assert n == price(n)\n"
    (found,) = certain("tests/test_n.py", rows, rows.replace("[1, 2]", "[]"))
    assert found == "test_n has 0 parameter sets; it had 2"
    assert "never runs" in str(is_a_real_test("tests/test_n.py", rows.replace("[1, 2]", "[]")))


def test_a_test_that_moved_to_another_file_was_not_deleted() -> None:
    gone = PY.split("class TestCart", maxsplit=1)[0]
    moved = "class TestCart:\n    def test_empty(self):\n        assert Cart().total == 0\n"
    assert weakened("tests/test_a.py", PY, gone, tests__test_b=moved) == []
    weaker = moved.replace("== 0", "is not None")
    assert weakened("tests/test_a.py", PY, gone, tests__test_b=weaker) != []


def test_another_assertion_in_its_place_is_shown_and_is_not_certain() -> None:
    (found,) = weakened("tests/test_a.py", PY, PY.replace("== 0", "== 1"))
    assert "asserts something else" in found.text
    assert not found.certain


def test_a_deleted_file_loses_every_test() -> None:
    assert len(certain("tests/test_a.py", PY, None)) == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("it('adds", "it.skip('adds", "is now skipped"),
        ("it('adds", "xit('adds", "is now skipped"),
        ("it('adds", "it.todo('adds", "is now skipped"),
        ("it('adds", "it.only('adds", "keeps the other tests from running"),
        ("it('adds", "fit('adds", "keeps the other tests from running"),
        ("describe('cart'", "describe.skip('cart'", "is now skipped"),
        ("    expect(cart.total()).toBe(10)\n", "", "can fail are 1; it had 2"),
        ("    expect(cart.total())", "    // expect(cart.total())", "can fail are 1; it had 2"),
        ("expect(cart.total()).toBe(10)", "expect(true).toBe(true)", "can fail are 1; it had 2"),
        ("it('adds up', () => {", "const unused = (() => {", "cart › adds up was deleted"),
        (".toHaveLength(2)", "", "can fail are 1; it had 2"),
        ("[[1], [2]]", "[[1]]", "has 1 parameter sets; it had 2"),
        ("[[1], [2]]", "[]", "has 0 parameter sets; it had 2"),
        ("it('adds up', () => {", "it('adds up', { skip: true }, () => {", "is now skipped"),
        ("it('adds up', () => {", "it('adds up', { todo: 'x', retry: 1 }, () => {", "skipped"),
        ("it('adds up', () => {", "it('adds up', ({ skip }) => { skip('x');", "is now skipped"),
        ("it('adds up', () => {", "it('adds up', (ctx) => { ctx.skip();", "is now skipped"),
        ("it('adds up', () => {", "it('adds up', () => { return;", "can fail are 0; it had 2"),
        (
            "    expect(cart.total()).toBe(10)\n",
            "    if (false) { expect(cart.total()).toBe(10) }\n",
            "can fail are 1; it had 2",
        ),
        (
            "    expect(cart.total()).toBe(10)\n",
            "    try { expect(cart.total()).toBe(10) } catch (e) { console.log(e) }\n",
            "catches its own failed assertion",
        ),
    ],
)
@pytest.mark.parametrize("path", ["src/cart.test.ts", "cart.spec.mjs", "__tests__/cart.jsx"])
def test_a_weaker_script_test_is_named(path: str, old: str, new: str, words: str) -> None:
    assert old in JS
    found = certain(path, JS, JS.replace(old, new))
    assert words in found[0]


@pytest.mark.parametrize("heard", ["await ", "return ", "void run(() => ", "const all = ["])
def test_a_promise_that_nobody_waits_for_asserts_nothing(heard: str) -> None:
    rest = "expect(later()).rejects.toThrow('no') })"
    js = "it('x', async () => { "
    (found,) = certain("a.test.ts", js + heard + rest, js + rest)
    assert "can fail are 0; it had 1" in found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    expect(cart.lines)", "    if (!cart.open) return;\n    expect(cart.lines)"),
        ("    expect(cart.lines)", "    cart.find().skip(10)\n    expect(cart.lines)"),
        ("it('adds up', () => {", "it('adds up', { skip: false, retry: 2 }, () => {"),
        ("    expect(cart.lines)", "    expect(cart.x).toBe(1)\n    expect(cart.lines)"),
        ("import {", "// it.skip('x', () => {})\nimport {"),
        ("import {", "const s = \"it.only('x')\"; const r = /\\(it.skip\\('/;\nimport {"),
        ("\n})\n", "\n  it('new', () => { expect(cart.q()).toBe(1) })\n})\n"),
    ],
)
def test_what_stands_in_comments_and_strings_is_no_test(old: str, new: str) -> None:
    assert certain("a.test.ts", JS, JS.replace(old, new)) == []


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("pytest.ini", None, "[pytest]\n"),
        ("vitest.config.ts", "a", "b"),
        ("web/jest.config.js", "a", None),
        ("src/setupTests.ts", "a", "b"),
        (
            "vite.config.ts",
            "export default { test: { include: ['src/**'] }, base: '/' }",
            "export default { test: { include: [] }, base: '/' }",
        ),
        (".mocharc.yml", "a", "b"),
        ("pyproject.toml", "[tool.pytest.ini_options]\na=1\n", "[tool.pytest.ini_options]\na=2\n"),
        ("pyproject.toml", "[project]\n", "[project]\n[tool.pytest.ini_options]\nx=1\n"),
        ("pyproject.toml", "[project]\n", "[project\n"),
        ("setup.cfg", "[tool:pytest]\na=1\n", "[tool:pytest]\na=2\n"),
        ("tox.ini", "[testenv]\ncommands=pytest\n", "[testenv]\ncommands=true\n"),
        ("package.json", '{"scripts":{"test":"jest"}}', '{"scripts":{"test":"true"}}'),
        ("package.json", '{"jest":{"a":1}}', "{}"),
        ("tests/conftest.py", "x = 1\n", "x = 2\n"),
        ("tests/conftest.py", "", "def pytest_collection_modifyitems(items): items.clear()\n"),
        ("tests/conftest.py", None, "collect_ignore = ['test_a.py']\n"),
        ("conftest.py", None, "@pytest.fixture(autouse=True)\ndef f(): pass\n"),
        ("conftest.py", None, "import pytest\npytest.skip('x')\n"),
        ("tests/conftest.py", None, "from shop.hooks import pytest_runtest_makereport\n"),
        ("tests/conftest.py", None, "from shop.hooks import quiet as pytest_runtest_makereport\n"),
        ("tests/conftest.py", "x = 1\n", "from shop.hooks import *\nx = 1\n"),
        ("tests/test_a.py", "x = 1\n", "x = 1\npytest_plugins = ['shop.quiet']\n"),
        ("tests/test_a.py", "pytest_plugins = ['a']\n", "pytest_plugins = ['b']\n"),
        ("tests/__init__.py", "", "def load_tests(*_):\n    return unittest.TestSuite()\n"),
        ("tests/__init__.py", None, "from shop.quiet import load_tests\n"),
        ("pyproject.toml", "[project]\n", "[project.entry-points.pytest11]\nq='shop.quiet'\n"),
        ("pyproject.toml", "", "[tool.poetry.plugins.pytest11]\nq='shop.quiet'\n"),
        ("setup.cfg", "", "[options.entry_points]\npytest11 =\n  q = shop.quiet\n"),
        (
            "package.json",
            '{"scripts":{"test":"npm run unit","unit":"jest"}}',
            '{"scripts":{"test":"npm run unit","unit":"true"}}',
        ),
        (
            "package.json",
            '{"scripts":{"test":"npm run unit","unit":"jest"}}',
            '{"scripts":{"test":"npm run unit","unit":"jest","postunit":"true"}}',
        ),
        ("pytest.py", None, "raise SystemExit(0)\n"),
        ("_pytest/__init__.py", None, ""),
        ("sitecustomize.py", None, ""),
    ],
)
def test_a_change_of_how_tests_are_run_is_refused(
    path: str, old: str | None, new: str | None
) -> None:
    assert len(certain(path, old, new)) == 1


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("pyproject.toml", "[project]\nname='a'\n", "[project]\nname='b'\n"),
        ("setup.cfg", "[metadata]\nname=a\n", "[metadata]\nname=b\n"),
        ("vite.config.ts", "x = { test: { a: 1 }, base: '/' }", "x = { test: {a: 1}, base: '/b' }"),
        ("package.json", '{"version":"1"}', '{"version":"2","scripts":{"build":"x"}}'),
        ("setup.cfg", "", "[options.entry_points]\nconsole_scripts =\n  shop = shop.cli:main\n"),
        ("tests/test_a.py", "x = 1\n", "from shop.hooks import *\nx = 1\n"),
        ("tests/conftest.py", "x = 1\n", "from shop.fixtures import cart\nx = 1\n"),
        ("conftest.py", "import os\n", "import os, sys\n\n@pytest.fixture\ndef shop(): pass\n"),
    ],
)
def test_the_rest_of_such_a_file_may_change(path: str, old: str | None, new: str | None) -> None:
    assert certain(path, old, new) in ([], ["conftest.py was changed at import os"])


@pytest.mark.parametrize(
    ("command", "path", "refused"),
    [
        ("./scripts/check.sh --all", "scripts/check.sh", True),
        ("cd web && sh check.sh", "web/check.sh", True),
        ("bash -c 'CI=1 ./check.sh'", "check.sh", True),
        ("make test", "Makefile", True),
        ("make -C web test", "web/Makefile", True),
        ("nox -s tests", "noxfile.py", True),
        ("python -m pytest", "Makefile", False),
        ("python -m pytest tests/unit/test_shop.py", "tests/unit/test_shop.py", False),
        ("python -m pytest tests", "shop/cart.py", False),
    ],
)
def test_what_a_test_command_runs_may_not_be_changed(
    command: str, path: str, refused: bool
) -> None:
    files = [TestFile(path=path, old="# what it was\n", new="# what it is\n")]
    found = find_weakening(files, [command])
    assert [one.certain for one in found] == [True] * refused
    assert all(f"`{command}` runs this file" in one.text for one in found)
    new = [TestFile(path=path, old=None, new="x = 1\n")]
    assert find_weakening(new, [command]) == [], "what was not there was not run"


def test_other_languages_are_compared_by_hash_and_it_says_so() -> None:
    (changed,) = weakened("pkg/cart_test.go", "a", "b")
    assert not changed.certain
    assert "only the hash" in changed.text
    for path in ("src/__snapshots__/cart.test.ts.snap", "src/__mocks__/cart.ts"):
        assert "only the hash" in weakened(path, "a", "b")[0].text
    (gone,) = weakened("tests/cart.rs", "a", None)
    assert gone.certain
    report = how_compared(["tests/test_a.py", "a.spec.ts", "b_test.go", "tests/c.rs", "x.py"])
    assert report == (
        "1 file in depth (pytest, unittest); 1 file in depth (jest, vitest); 2 files by hash alone"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def test_a():\n    assert True\n", "nothing that could be false"),
        ("def test_a():\n    visit()\n", "nothing that could be false"),
        ("def test_a():\n    x = f()\n    assert x == x\n", "nothing that could be false"),
        ("def test_a():\n    assert not False\n", "nothing that could be false"),
        ("def test_a():\n    assert False\n", "whatever the program does"),
        ("import pytest\ndef test_a():\n    pytest.fail('x')\n", "whatever the program does"),
        ("def test_a():\n    raise AssertionError\n", "whatever the program does"),
        ("def helper():\n    assert f()\n", "holds no test"),
        ("@pytest.mark.xfail\ndef test_a():\n    assert f()\n", "skipped, or expected"),
        ("def test_a():\n    try:\n        assert f()\n    except: pass\n", "catches its own"),
        ("def test_a(:\n", "cannot be read"),
    ],
)
def test_a_test_that_proves_nothing_is_refused(text: str, words: str) -> None:
    assert words in str(is_a_real_test("tests/e2e/test_a.py", text))


@pytest.mark.parametrize(
    "text",
    [
        "def test_a():\n    assert get('/').status == 200\n",
        "async def test_a():\n    assert await get('/') == 200\n",
        "def check(x):\n    assert x == 1\ndef test_a():\n    check(get('/'))\n",
        "class TestA(TestCase):\n    def test_a(self):\n        self.assertEqual(f(), 1)\n",
        "def test_a():\n    with pytest.raises(ValueError):\n        f()\n",
        "def test_a(page):\n    expect(page.locator('#x')).to_have_text('y')\n",
        "def test_a():\n    if get('/') != 1:\n        pytest.fail('x')\n",
    ],
)
def test_a_test_that_can_fail_is_real(text: str) -> None:
    assert is_a_real_test("tests/e2e/test_a.py", text) is None


def test_script_tests_are_asked_the_same() -> None:
    assert is_a_real_test("a.spec.ts", JS) is None
    assert "nothing" in str(is_a_real_test("a.spec.ts", "it('a', () => { go() })"))
    assert "holds no test" in str(is_a_real_test("a.spec.ts", "expect(1).toBe(2)"))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("expect(true).toBe(false)", "whatever the program does"),
        ("const x = 1; expect.fail('no')", "whatever the program does"),
        ("expect(await get('/'))", "nothing that could be false"),
        ("try { expect(get()).toBe(1) } catch {}", "catches its own"),
        ("if (get() !== 1) { expect.fail('no') }", None),
        ("if (get() !== 1) expect.fail('no')", None),
        ("try { expect(get()).toBe(1) } catch (e) { throw new Error('x') }", None),
        ("try { await get() } catch (e) { expect(e).toBeDefined() }", None),
        ("for (;;) try { await get(); break } catch {}\n expect(seen).toBe(1)", None),
    ],
)
def test_a_script_test_is_real_where_it_can_pass_and_fail(body: str, words: str | None) -> None:
    found = is_a_real_test("a.spec.ts", f"it('a', async () => {{ {body} }})")
    assert found is None if words is None else words in str(found)


def test_only_what_a_change_brings_is_judged() -> None:
    old = "@pytest.mark.skipif(WINDOWS, reason='no')\ndef test_a():\n    assert f(1) == 1\n"
    skipped = "\n@pytest.mark.skip\ndef test_b():\n    assert f(2) == 2\n"
    new = "# a line above\n" + old + "\ndef test_b():\n    assert f(2) == 2\n"
    assert is_a_real_test("tests/test_a.py", new, old) is None
    assert "test_a.py:3: test_a" in str(is_a_real_test("tests/test_a.py", new))
    assert "test_b" in str(is_a_real_test("tests/test_a.py", old + skipped, old))


PIECES = st.sampled_from(
    [
        "it(",
        "'",
        '"',
        "`",
        "/",
        "*",
        "//",
        "\n",
        ")",
        "(",
        "expect(",
        "describe.only(",
        "${",
        "\\",
        "}",
    ]
)
TEXTS = st.text(max_size=200) | st.lists(PIECES, max_size=60).map("".join)
PATHS = st.sampled_from(
    [
        "test_a.py",
        "a.test.ts",
        "conftest.py",
        "package.json",
        "tox.ini",
        "pyproject.toml",
        "a_test.go",
    ]
)


@given(PATHS, st.none() | TEXTS, st.none() | TEXTS)
def test_no_text_makes_it_raise(path: str, old: str | None, new: str | None) -> None:
    find_weakening([TestFile(path=path, old=old, new=new)])
    is_a_real_test(path, new or "")


@given(st.sampled_from(["test_a.py", "a.test.ts"]), TEXTS)
def test_nothing_is_weaker_than_itself(path: str, text: str) -> None:
    assert find_weakening([TestFile(path=path, old=text, new=text)]) == []


@pytest.mark.parametrize(
    "unit",
    ["it(", "describe('a', () => {", "`${", "/*", "'", "expect(", "(/", "{return;", "if(false){"],
)
def test_hostile_scripts_cost_time_in_proportion(unit: str) -> None:
    is_a_real_test("a.test.ts", unit * (60_000 // len(unit)))
