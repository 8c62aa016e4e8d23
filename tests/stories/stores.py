"""Stories that every run tells on both stores; `STORIES_ON=postgres` tells all of them there."""

import pytest

ON_BOTH = pytest.mark.parametrize(
    "shared_store",
    ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)],
    indirect=True,
)
