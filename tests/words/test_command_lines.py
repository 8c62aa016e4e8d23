"""Where a command may stand in a comment: in a paragraph at the top level, at column 0."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workflow.command_lines import MAX_COMMANDS, MAX_SIGNS, command_lines

SAID = "/chimera cancel"
LIMIT_S = 0.05

HIDDEN = {
    "a fence": "```\n{}\n```",
    "a tilde fence with a language": "~~~sh\n{}\n~~~",
    "an unclosed fence": "```\n{}\n",
    "a fence closed by fewer signs": "````\n```\n{}\n````",
    "indented code": "    {}\n",
    "a tab": "\t{}",
    "an indented fence": "   ```\n{}\n   ```",
    "a code span over lines": "`a\n{}\nb`",
    "a code span beside an indented twin": "`a\n{0}\n`\n {0}",
    "inline code": "`{}`",
    "a quote": "> {}",
    "a quote's lazy continuation": "> said\n{}",
    "a nested quote's lazy continuation": "> > said\n{}",
    "an HTML block": "<div>\n{}\n</div>",
    "an HTML block with blank lines": "<div>\n\n{}\n\n</div>",
    "an HTML comment": "<!--\n{}\n-->",
    "an unclosed HTML comment": "<!--\n\n{}\n",
    "an inline HTML comment": "see <!-- \n{}\n-->",
    "a tag's attribute": 'see <a title="\n{}\n">x</a>',
    "details": "<details>\n\n{}\n\n</details>",
    "details with a summary": "<details><summary>old</summary>\n\n{}\n\n</details>",
    "details and a stray end of something else": "<details>\n\n</p>\n\n{}\n\n</details>",
    "details that open within a sentence": "so <details>\n\n{}\n\n</details>",
    "upper-case details": "<DETAILS>\n\n{}\n",
    "a list": "- {}",
    "a list's lazy continuation": "- item\n{}",
    "an ordered list": "1. {}",
    "a paragraph of a list item": "- item\n\n  {}",
    "a heading": "# {}",
    "a setext heading": "{}\n===",
    "a second-level setext heading": "{}\n---",
    "a table's row": "|a|b|\n|-|-|\n{}",
    "a table's head": "{}|b\n-|-\n",
    "a link's text": "[x\n{}\n](https://x.test)",
    "a link reference's title": "[x]: /url '\n{}\n'",
    "an image's text": "![x\n{}\n](https://x.test)",
    "bold text": "**a\n{}\nb**",
    "a footnote": "[^1]: said\n{}",
    "a longer footnote": "[^1]: said in\nmore lines\n{}",
    "a space before": " {}",
    "words before": "please {}",
    "a full-width look-alike": "／chimera cancel",
    "full-width letters": "/ｃhimera cancel",
    "a zero-width space before": "\u200b{}",
    "a byte order mark before": "\ufeff{}",
    "a longer word": "/chimerae cancel",
    "an upper-case prefix": "/CHIMERA cancel",
    "a backslash": "\\{}",
    "an entity": "&#47;chimera cancel",
    "a no-break space after the prefix": "/chimera\u00a0cancel",
    "our own private signs": "`\n\ue0000\ue001 cancel\n`",
}


@pytest.mark.parametrize("construct", HIDDEN.values(), ids=HIDDEN.keys())
def test_no_command_is_found_in(construct: str) -> None:
    assert command_lines(construct.format(SAID)) == []
    assert command_lines(construct.format(SAID).replace("\n", "\r\n")) == []
    assert command_lines("hello\n\n" + construct.format(SAID)) == []


@pytest.mark.parametrize(
    "body",
    [
        SAID,
        f"{SAID}\n",
        f"Thanks!\n{SAID}\nand on",
        f"Thanks!\r\n{SAID}\r\n",
        f"Thanks!\r{SAID}\r",
        f"`code` and <b>bold</b>\n{SAID}",
        f"> a quote\n\n{SAID}",
        f"- a list\n\n{SAID}",
        f"```\nclosed\n```\n{SAID}",
        f"<details>\n\nold\n\n</details>\n\n{SAID}",
        f"<!-- <details> a template's hint -->\n\n{SAID}",
        f"Use `<details>` for that.\n\n{SAID}",
        f"# Title\n{SAID}",
        f"a line\\\n{SAID}",
        f"an unclosed `tick\n{SAID}",
        f"a < b and [c\n{SAID}",
        f"[1]: https://x.test\n\n{SAID}",
        f"{'word ' * 2000}\n{SAID}",
        f"{SAID}\n\n{'more ' * 12_000}",
    ],
)
def test_a_command_in_a_paragraph_is_found(body: str) -> None:
    assert command_lines(body) == [SAID]


def test_no_more_are_looked_for_than_tell_that_there_were_too_many() -> None:
    body = "\n".join(f"/chimera priority {n}" for n in range(1, 9))
    assert command_lines(body) == [f"/chimera priority {n}" for n in (1, 2, 3, 4)]
    assert MAX_COMMANDS == 3


def test_a_phone_may_write_the_first_letter_large_and_nobody_another_alphabet() -> None:
    assert command_lines("/Chimera status") == ["/Chimera status"]
    assert command_lines("/chİmera status\n\n/сhimera status\n\n／chimera status") == []


HOSTILE = [
    "a\n", "> ", "> a\n", "- a\n", "*a ", "_a*b_ ", "[", "![", "[a]: b\n", "[a", "<a ", "<div>\n",
    "```\n", "|a\n|-\n", "|", "\t-\t-", "1. ", "***\n", "a\n=\n", '[a]: b "\n', "<", "<?", "&a",
    "`a``b", "a](", "[a](b ", "**a *b ", "/chimera x\n", "/chimera x\n\n", "`\n/chimera x\n[\n",
    "<!--", "<![CDATA[", "<details>", "[^", " ", "\\", "x`y[z", ">" * 20 + "a\n" + "a\n" * 50,
]  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE)
def test_sixty_five_thousand_hostile_characters_cost_less_than_fifty_milliseconds(
    unit: str,
) -> None:
    """Processor time of the best of three, for other programs run beside the tests."""
    whole = unit * (65_536 // len(unit) + 1)
    cut = (unit * MAX_SIGNS)[:1900]
    for body in (
        f"{whole[:65_000]}\n\n{SAID}\n",
        f"{SAID}\n{whole[:65_000]}",
        f"{whole[:16_000]}\n{SAID}\n\n{whole[:49_000]}",
        f"{cut}\n{SAID}\n\n" * 30,
        f"{unit * 10}\n{SAID}\n\n" * 400,
    ):
        spent = []
        for _ in range(3):
            begun = process_time()
            command_lines(body[:65_536])
            spent.append(process_time() - begun)
        assert min(spent) < LIMIT_S


words = st.text(alphabet="ab `*_[](){}<>!&\\#-+.\"'~|/", max_size=40)


@given(before=words, after=words, fence=st.sampled_from(["```", "~~~", "`````"]))
def test_nothing_in_a_fence_is_ever_found(before: str, after: str, fence: str) -> None:
    inside = f"{before}\n{SAID}\n{after}".replace(fence[0], ".")
    assert command_lines(f"{fence}\n{inside}\n{fence}\n") == []


@given(before=words, after=words, mark=st.sampled_from(["> ", "- ", "1. ", "    ", "# ", "\t"]))
def test_nothing_behind_a_mark_is_ever_found(before: str, after: str, mark: str) -> None:
    lines = (before, SAID, after)
    assert command_lines("\n".join(mark + line for line in lines)) == []


@given(before=words, after=words)
def test_nothing_in_a_code_span_is_ever_found(before: str, after: str) -> None:
    inside = f"a{before}\n{SAID}\n{after}b".replace("`", ".").replace("\\", ".").replace("<", ".")
    for sign in "|#>-+*_[]=~":
        inside = inside.replace(sign, ".")
    assert command_lines(f"see ``{inside}`` there") == []


@given(st.text(alphabet='ab \n\r`*_[]()<>!-#|/=~:^&;\\"chimera', max_size=200))
def test_what_is_found_stands_in_the_comment_at_column_zero(body: str) -> None:
    lines = body.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for found in command_lines(body):
        assert found in lines
        assert found.startswith("/chimera")
