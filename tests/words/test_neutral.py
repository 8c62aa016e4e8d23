"""Foreign text does nothing when we say it, and still reads as it was meant."""

import re
from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.log import mask
from bot.workflow.neutral import BREAK, cell, fenced, harmless, neutralise, plain, quoted

Way = Callable[[str, int], str]
WAYS: list[Way] = [neutralise, plain, cell, quoted, fenced, harmless]

LIVE = re.compile(
    r"@\w|#\d|GH-\d|/chimera|!\[|/(?:issues|pull|discussions)/\d"
    r"|[\u200c-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]",
    re.IGNORECASE,
)
CANARIES = [
    "ping @octocat and @acme/team",
    "Fixes #12, closes acme/shop#7, resolves GH-3",
    "see https://github.com/acme/shop/issues/9 and /pull/3",
    "/chimera approve",
    "/CHIMERA approve",
    "![x](https://evil.test/pixel.png) ![y][ref]",
    "zero\u200bwidth @\u200bocto #\u20601 /chi\u200dmera help",
    "\u202eevil\u202c \u2066x\u2069",
    "tags \U000e0041\U000e0042 and variation\ufe0f\U000e0101",
    "@\ufe0focto !\u200b[x](y)",
    "@@octo ##1 //chimera x !![x](y)",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", CANARIES)
def test_nothing_in_it_is_live(way: Way, text: str) -> None:
    assert LIVE.search(way(text, 1000)) is None


@pytest.mark.parametrize("way", [neutralise, cell, quoted])
@pytest.mark.parametrize(
    "text",
    [
        "<!-- hidden -->",
        "<!-- unclosed",
        "<img src=https://evil.test/x>",
        "<details><summary>x",
        "</details>",
        "&lt;!-- x",
        "&#64;octocat &commat;octocat &#35;1",
    ],
)
def test_html_and_entities_are_shown_and_not_meant(way: Way, text: str) -> None:
    html = MarkdownIt("commonmark").render(way(text, 1000)).replace(BREAK, "")
    tags = set(re.findall(r"</?([a-z]+)", html))
    assert tags <= {"p", "blockquote"}
    shown = re.sub(r"</?[a-z]+>", "", html).replace("&lt;", "<").replace("&gt;", ">")
    assert shown.replace("&amp;", "&").strip() == text


def test_a_reader_sees_what_was_written() -> None:
    text = "Fixes #12 for @octocat: a < b & c"
    seen = MarkdownIt("commonmark").render(neutralise(text, 1000)).replace(BREAK, "")
    assert seen == "<p>Fixes #12 for @octocat: a &lt; b &amp; c</p>\n"


def test_a_cell_stays_in_its_cell() -> None:
    md = MarkdownIt("commonmark").enable("table")
    for text in ("a | b", "`a | b` and `c", "``a`` | ` b", "x\n| y |", "`|`", "\\`|` | ` |`"):
        html = md.render(f"|h|i|\n|-|-|\n| {cell(text, 100)} | last |")
        assert html.count("<td>") == 2
        assert "<td>last</td>" in html


def test_paired_code_in_a_cell_is_code() -> None:
    assert cell("fails on `main` as it *must*", 100) == r"fails on `main` as it \*must\*"
    assert cell("one ` tick", 100) == r"one \` tick"


def test_a_quote_ends_where_it_ends() -> None:
    text = quoted("```\nnever closed\n<details>", 1000) + "\n\nours"
    html = MarkdownIt("commonmark").render(text)
    assert html.endswith("</blockquote>\n<p>ours</p>\n")


@pytest.mark.parametrize("log", ["```", "a\n`````\nb", "~~~\n```text", "<!--", "`" * 50])
def test_a_log_cannot_leave_its_fence(log: str) -> None:
    html = MarkdownIt("commonmark").render(fenced(log, 1000) + "\n\nours")
    assert html.endswith("</code></pre>\n<p>ours</p>\n")
    assert html.count("<pre>") == 1


def test_a_log_keeps_its_end_and_other_text_its_beginning() -> None:
    assert "the end" in fenced("x" * 5000 + "the end", 100)
    assert neutralise("begin" + "x" * 5000, 100).startswith("begin")


def test_secrets_are_blanked_even_at_the_cut() -> None:
    secret = "planted-canary-3c1d9f70aa"
    mask.learn(secret)
    for way in WAYS:
        for lead in (0, 80, 90, 95):
            shown = way("x" * lead + secret + "y" * 200, 100) + way("y" * lead + secret, 100)
            assert secret[:12] not in shown
            assert secret[-12:] not in shown


@given(text=st.text(max_size=400), limit=st.integers(min_value=1, max_value=200))
def test_the_limit_holds(text: str, limit: int) -> None:
    assert len(neutralise(text, limit)) <= limit
    assert len(plain(text, limit)) <= limit
    assert len(harmless(text, limit)) <= limit
    assert "\n" not in plain(text, limit) + cell(text, limit)


pieces = st.sampled_from(
    ["@", "#", "1", "a", "GH-", "/", "chimera", "!", "[", "\u200b", "\ufe0f", "\\", "`", "<", "&"]
)


@given(st.lists(pieces, max_size=40).map("".join))
def test_no_mixture_of_signs_comes_alive(text: str) -> None:
    for way in WAYS:
        assert LIVE.search(way(text, 1000)) is None


@given(st.text(alphabet=st.characters(), max_size=100))
def test_what_we_say_can_be_sent(text: str) -> None:
    for way in WAYS:
        way(text, 100).encode("utf-8")


def cost(way: Way, text: str) -> float:
    """Processor seconds, the best of five."""
    spent = []
    for _ in range(5):
        begun = process_time()
        way(text, 10**6)
        spent.append(process_time() - begun)
    return min(spent)


@pytest.mark.parametrize(
    "unit", ["<!--", "@", "#1", "`", "![", "<", "&", "/chimera", "\u200b", "|"]
)
@pytest.mark.parametrize("way", WAYS)
def test_eight_times_the_text_is_about_eight_times_the_work(way: Way, unit: str) -> None:
    """Quadratic work would be sixty-four times as much."""
    short, long = (unit * (length // len(unit)) for length in (16_000, 128_000))
    assert cost(way, long) <= 24 * max(cost(way, short), 0.0002)
