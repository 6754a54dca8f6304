"""The effect page in a browser: nothing is cut, overprinted or too faint, and it is short."""

from pathlib import Path

import pytest

from posology.report.effects.page import render_effect_page
from tests.builders.browser import CHROMIUM, Layout, lay_out
from tests.builders.effect_report import effect_content, time_content

MAX_HEIGHT = 5_300
"""A third of the 16,000 px that the page had, at 1,280 px."""
FRAMES = [(1280, "light"), (390, "light"), (1280, "dark")]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@pytest.fixture(scope="module", params=["binary", "time"])
def layouts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    content = effect_content() if request.param == "binary" else time_content()
    folder: Path = tmp_path_factory.mktemp("browser")
    return lay_out(render_effect_page(content), folder, FRAMES)


def test_nothing_is_cut_overprinted_or_faint(layouts: list[Layout]) -> None:
    for (width, scheme), layout in zip(FRAMES, layouts, strict=True):
        assert layout.scroll_width <= width, scheme
        assert layout.overflowing == [], (width, scheme)
        assert layout.overprinted == [], (width, scheme)
        assert layout.faint == [], (width, scheme)


def test_the_page_is_short_and_has_a_dark_scheme(layouts: list[Layout]) -> None:
    wide, _, dark = layouts
    assert 1_000 < wide.height <= MAX_HEIGHT
    assert wide.background == "rgb(255, 255, 255)"
    assert dark.background == "rgb(17, 23, 29)"
