"""Real libraries as git repositories, and `chimera run` on them as people start it."""

import pytest

from .fetching import Shelf


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("sources"))
