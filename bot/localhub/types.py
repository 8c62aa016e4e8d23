"""Words that every part of the hub uses."""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


Clock = Callable[[], float]
