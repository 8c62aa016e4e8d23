"""Every random number of a history comes from its seed: ids, tokens and GUIDs as well.

Where Python asks the system for chance, it asks here while a history is told; together with a
fixed hash seed (see `many`), the same seed then tells the same story in any process.
"""

import contextlib
import os
import random
from collections.abc import Iterator


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """`random`, `secrets` and `uuid` draw from this seed."""
    dice, asked = random.Random(seed), os.urandom
    random.seed(seed)
    os.urandom = random._urandom = dice.randbytes  # type: ignore[attr-defined]  # a private door of the library
    try:
        yield
    finally:
        os.urandom = random._urandom = asked  # type: ignore[attr-defined]  # a private door of the library
