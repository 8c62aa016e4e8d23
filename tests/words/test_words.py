"""How a step's result stands in a terminal."""

from bot.workflow.report.words import LINE, MAX_TOLD, hanging


def test_a_long_result_hangs_below_its_beginning_and_loses_no_word() -> None:
    text = "The change was refused by a gate: " + " ".join(f"word-{n}" for n in range(40))
    first, *rest = hanging("  code  ", text).splitlines()
    assert first.startswith("  code  The change")
    assert rest
    assert all(line.startswith(" " * 8 + "word-") for line in rest)
    assert max(len(line) for line in (first, *rest)) <= LINE
    assert " ".join(line[8:] for line in (first, *rest)) == text


def test_of_several_lines_the_first_is_told_and_an_address_stays_whole() -> None:
    address = "http://127.0.0.1:1/" + "a-" * 60
    assert hanging("  ", f"At {address}\nmore").splitlines() == ["  At", f"  {address}"]


def test_a_result_without_an_end_is_cut_and_says_so() -> None:
    shown = " ".join(hanging("> ", "word " * 1000).split())
    assert shown.endswith("…")
    assert len(shown) <= MAX_TOLD + 2


def test_a_result_without_words_is_its_beginning() -> None:
    assert hanging("  code  ", "") == "  code"
