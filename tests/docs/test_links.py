"""Links lead somewhere, every page is found, and no page knows whose machine it was written on."""

import socket
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, ROOT
from tests.docs.pages import anchors, links, pages, text_of

MAX_IMAGE = 300_000  #: bytes
NOT_A_PAGE = ("http://", "https://", "mailto:")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not _resolves(page, link)] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    seen, ahead = set[Path](), [DOCS / "index.md"]
    while ahead:
        page = ahead.pop()
        if page not in seen:
            seen.add(page)
            ahead += [
                target for target in (_target(page, link) for link in links(page)) if _md(target)
            ]
    assert sorted(map(name_of, set(DOCS.rglob("*.md")) - seen)) == []


def test_every_image_is_shown_and_small() -> None:
    shown = {_target(page, link) for page in pages() for link in links(page)}
    for image in (DOCS / "images").iterdir():
        assert image in shown, f"{image.name} is on no page"
        assert image.stat().st_size < MAX_IMAGE, image.name


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_page_names_no_path_of_the_machine_it_was_written_on(page: Path) -> None:
    text = text_of(page)
    told = [str(ROOT), sys.prefix, socket.gethostname()]
    assert [own for own in told if len(own) > len("/usr") and own in text] == []


def _resolves(page: Path, link: str) -> bool:
    if link.startswith(NOT_A_PAGE):
        return True
    target, anchor = _target(page, link), link.partition("#")[2]
    return target.exists() and (not anchor or anchor in anchors(target))


def _target(page: Path, link: str) -> Path:
    path = link.partition("#")[0]
    return (page.parent / path).resolve() if path else page


def _md(target: Path) -> bool:
    return target.suffix == ".md" and target.is_file()
