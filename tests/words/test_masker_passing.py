"""Tokens come and go for months; the masker does not grow with them."""

from bot.log import MASK, PASSING_KEPT, Masker


def test_the_newest_tokens_are_blanked_and_the_masker_does_not_grow() -> None:
    masker = Masker(["a lasting secret"])
    tokens = [f"token-{number:04d}-of-an-installation" for number in range(PASSING_KEPT * 3)]
    for token in tokens:
        masker.learn(token, passing=True)
    assert masker("a lasting secret") == MASK
    assert all(masker(token) == MASK for token in tokens[-PASSING_KEPT:])
    assert masker(tokens[0]) == tokens[0]
