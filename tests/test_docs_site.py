"""The documentation as a site: every page is in it, it builds strictly, it is small."""

import gzip
import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest

from docs.make.site import ROOT, build, pages

LIMIT = 200_000
"""Bytes of the first page with all that it loads, as a server sends them (texts by gzip)."""
TEXTS = {".html", ".css", ".js"}
NETWORK = re.compile(r'(?:src|href)="([^"]+)"')
LOADED = re.compile(r'<(?:script[^>]* src|img[^>]* src|link[^>]* rel="stylesheet" href)="([^"]+)"')


def navigation() -> Iterator[str]:
    """Files of the navigation."""

    def walk(entry: object) -> Iterator[str]:
        match entry:
            case str():
                yield entry
            case list():
                for item in entry:
                    yield from walk(item)
            case dict():
                for item in entry.values():
                    yield from walk(item)

    settings = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    yield from walk(settings["project"]["nav"])


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(navigation()) == sorted(page.as_posix() for page in pages())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("zensical") is None:
        pytest.skip("zensical is not installed: it comes with the dependency group docs")
    return build(tmp_path_factory.mktemp("docs") / "docs")


def sent_bytes(file: Path) -> int:
    content = file.read_bytes()
    return len(gzip.compress(content) if file.suffix in TEXTS else content)


def test_the_first_page_is_small(site: Path) -> None:
    first = site / "index.html"
    loaded = {site / path for path in LOADED.findall(first.read_text(encoding="utf-8"))}
    assert len(loaded) >= 4  # two style sheets, a script, a picture
    assert sum(map(sent_bytes, [first, *loaded])) < LIMIT


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        for address in LOADED.findall(page.read_text(encoding="utf-8")):
            assert "//" not in address, f"{page} loads {address}"


def test_every_link_of_the_site_leads_to_a_file(site: Path) -> None:
    for page in site.rglob("index.html"):
        here = f"http://site/{page.relative_to(site)}"
        for link in NETWORK.findall(page.read_text(encoding="utf-8")):
            target = urljoin(here, link.partition("#")[0])
            if target.startswith("http://site/"):
                file = site / unquote(target.removeprefix("http://site/"))
                assert (file / "index.html" if file.is_dir() else file).is_file(), f"{page}: {link}"
