"""Ids that sort by the time they were made: a prefix and a ULID (github.com/ulid/spec)."""

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)  # ten bits each
_PLACES = range(120, -1, -10)  #: of the thirteen pairs
_RANDOM_BITS = 80
_MAX_MS = (1 << 48) - 1


def new_id(at: float, prefix: str = "chimera-") -> str:
    """A new id for the instant `at` (Unix seconds): 48 bits of milliseconds, 80 random ones."""
    number = (int(at * 1000) & _MAX_MS) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    return prefix + "".join([_PAIRS[number >> place & 1023] for place in _PLACES])
