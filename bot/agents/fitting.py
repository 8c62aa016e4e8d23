"""Makes what a prompt is filled with fit: the longest texts are cut, all to one length."""

from collections.abc import Mapping, Sequence

AROUND = 150  #: characters that a prompt puts around each text: its fence, and that it was cut


def fitted(values: Mapping[str, object], room: int) -> dict[str, object]:
    """`values` with at most `room` characters of texts, those in lists and all fences included."""
    lengths = sorted(len(text) for value in values.values() for text in _texts(value))
    cap = _cap(lengths, max(0, room - AROUND * len(lengths)))
    return {name: _cut(value, cap) for name, value in values.items()}


def _texts(value: object) -> list[str]:
    members = value if isinstance(value, list | tuple) else [value]
    return [text for text in members if isinstance(text, str)]


def _cap(lengths: Sequence[int], room: int) -> int:
    """How long a text may be, so that all of them together fit; `lengths` are ascending."""
    for n, length in enumerate(lengths):
        others = len(lengths) - n  # this one and the longer ones, which share what is left
        if length * others > room:
            return room // others
        room -= length
    return max(lengths, default=0)


def _cut(value: object, cap: int) -> object:
    match value:
        case str() if len(value) > cap:
            return f"{value[:cap]}\n… and {len(value) - cap} characters more"
        case list() | tuple():
            return [_cut(member, cap) for member in value]
        case _:
            return value
