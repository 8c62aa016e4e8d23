"""Libraries that none of us wrote, and the feature that one version has over the one before it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Two neighbouring versions of a library, and what of the later one is brought by whom."""

    name: str
    old: str
    new: str
    feature: str
    tests: tuple[str, ...]  #: files of the new version that the e2e-tester brings
    code: tuple[str, ...]  #: files of the new version that the coder brings
    test: str  #: runs the whole suite; the brought tests when their paths follow

    @property
    def config(self) -> str:
        """A chimera.yml: the suite's own directory is where the tester may write."""
        return (
            "version: 1\n"
            f'e2e: {{ path: tests, test: "{self.test} {" ".join(self.tests)}" }}\n'
            f'checks: {{ test: "{self.test}" }}\n'
        )


CACHETOOLS = Library(
    name="cachetools",
    old="5.4.0",
    new="5.5.0",
    feature="expire() of the TTL caches returns the expired items",
    tests=("tests/test_ttl.py", "tests/test_tlru.py"),
    code=("src/cachetools/__init__.py",),
    test="PYTHONPATH=src python -m pytest -q",
)

PARSE = Library(
    name="parse",
    old="1.20.2",
    new="1.21.0",
    feature="Parse numbers with thousands separators, {:,d} and {:_d}",
    tests=("tests/test_parse.py",),
    code=("parse.py",),
    test="python -m pytest -q",
)

LIBRARIES = (CACHETOOLS, PARSE)
