"""Every report in Debian's Chromium: axe finds nothing. Dark colours: test_browser.py beside it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from posology.domain.recommendation.recommendation import BETTER_FOR_PATIENT
from posology.records.pipeline.quality_page import quality_page
from posology.report.effects.page import render_effect_page
from posology.report.patient.page import render_patient_page
from posology.report.table1.page import render_table1_page
from tests.builders.browser import CHROMIUM
from tests.builders.effect_report import effect_content
from tests.builders.recommendations import ADVICE_BY_STATE
from tests.builders.table1_report import table1_content

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
_OPEN = "document.querySelectorAll('details').forEach(d => d.open = true)"
_TEXT = {"exclude": [["svg"]]}
"""Pictures have thousands of elements; test_browser.py looks at theirs."""
_EMPTY = {
    "totals": {"events": 0, "subjects": 0, "codes": 0, "first": None, "rejected": 0, "merged": 0},
    "events_per_patient": {"median": None},
    "gaps": ["no event of the family SEX"],
    **dict.fromkeys(("source_counts", "families", "rejected", "repairs", "conflicts"), ()),
    **dict.fromkeys(("codes", "sources"), ()),
}
PAGES = {
    "effects": lambda: render_effect_page(effect_content()),
    "table 1": lambda: render_table1_page(table1_content()),
    "patient": lambda: render_patient_page(ADVICE_BY_STATE[BETTER_FOR_PATIENT]),
    "quality": lambda: quality_page(_EMPTY, {}, "events"),
}


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name: str, chromium, tmp_path: Path) -> None:
    from axe_playwright_python.sync_playwright import Axe

    (tmp_path / "page.html").write_text(PAGES[name](), encoding="utf-8")
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto((tmp_path / "page.html").as_uri())
    page.evaluate(_OPEN)
    options = {"resultTypes": ["violations"]}
    found = Axe().run(page, context=_TEXT, options=options).response["violations"]
    page.close()
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found] == []
