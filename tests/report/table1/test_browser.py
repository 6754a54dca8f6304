"""The report in a browser: with every part unfolded, only tables scroll, never the page."""

from pathlib import Path

import pytest

from posology.report.table1.page import render_table1_page
from tests.builders.browser import CHROMIUM, lay_out
from tests.builders.table1_report import table1_content

FRAMES = [(1280, "light"), (390, "light")]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def test_the_page_is_as_wide_as_the_screen(tmp_path: Path) -> None:
    page = render_table1_page(table1_content()).replace("<details", "<details open")
    assert "Calibration of each option" in page
    for (width, scheme), layout in zip(FRAMES, lay_out(page, tmp_path, FRAMES), strict=True):
        assert layout.scroll_width <= width, scheme
        assert layout.overflowing == [], (width, scheme)
