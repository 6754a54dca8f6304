"""The page of a recommendation in a browser: nothing is cut, overprinted, faint or sideways."""

from dataclasses import replace
from pathlib import Path

import pytest

from posology.domain.recommendation.recommendation import (
    BETTER_THAN_REFERENCE,
    Recommendation,
)
from posology.report.patient.page import render_patient_page
from tests.builders.browser import CHROMIUM, lay_out
from tests.builders.recommendations import ADVICE_BY_STATE

FRAMES = [(1280, "light"), (390, "light"), (1280, "dark")]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def _with_long_names() -> Recommendation:
    """The fullest page, with words that are longer than their columns."""
    advice = ADVICE_BY_STATE[BETTER_THAN_REFERENCE]
    word = "hydroxychloroquine-sulfamethoxazole-trimethoprim"
    low = replace(
        advice.options[0],
        title=f"{word} 200 mg twice a day",
        harms=tuple(replace(h, name=f"{h.name} of {word}") for h in advice.options[0].harms),
    )
    return replace(advice, options=(low, *advice.options[1:]), goal=f"no {word} in two years")


def test_nothing_is_cut_overprinted_or_faint(tmp_path: Path) -> None:
    layouts = lay_out(render_patient_page(_with_long_names()), tmp_path, FRAMES)
    for (width, scheme), layout in zip(FRAMES, layouts, strict=True):
        assert layout.scroll_width <= width, scheme
        assert layout.overflowing == [], (width, scheme)
        assert layout.overprinted == [], (width, scheme)
        assert layout.faint == [], (width, scheme)
    assert layouts[0].background == "rgb(255, 255, 255)"
    assert layouts[2].background == "rgb(17, 23, 29)"
