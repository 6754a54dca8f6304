from dataclasses import replace
from pathlib import Path

import pytest

from posology.evaluation.effects.overlap import Balance
from posology.report.effects.page import render_effect_page, write_effect_page
from tests.builders.effect_report import effect_content
from tests.builders.html import read_html


@pytest.fixture(scope="module")
def page() -> str:
    return render_effect_page(effect_content())


def test_the_heading_is_the_verdict(page: str) -> None:
    head = page[page.index("<h1>") + 4 : page.index("</h1>")]
    assert head.startswith("Personalising gains 0.")
    assert head.endswith("points over the best single option, new.")


def test_elements_are_balanced_and_every_link_has_a_target(page: str) -> None:
    reader = read_html(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.link_targets) <= set(reader.ids)
    sections = ("trial", "options", "rule", "patients", "one", "harms", "overlap", "balance")
    assert set(sections) <= set(reader.ids)
    assert {"hidden", "groups", "stability", "methods", "tripod"} <= set(reader.ids)


def test_the_certainty_of_one_patients_effect_is_reported(page: str) -> None:
    assert "old is clearly better than new for" in page
    assert "For the other patients there is no reliable difference." in page
    assert "If clinicians chose for the" in page


def test_predicted_and_observed_effects_are_compared_by_group(page: str) -> None:
    assert "Average effect in each subgroup, predicted and observed" in page
    assert "too few patients" in page


def test_names_are_escaped_and_nothing_is_loaded(page: str) -> None:
    assert "&lt;female&gt;" in page
    assert "<female>" not in page
    assert "<script" not in page
    assert "To choose." in page
    assert "<h2>Not intended for</h2><p>Children.</p>" in page


def test_balance_names_the_two_options_that_differ_most() -> None:
    content = effect_content()
    rows = (Balance("weight", "old", "new", 0.2, -0.164), Balance("age", "old", "new", 0.1, 0.02))
    page = render_effect_page(replace(content, results=replace(content.results, balance=rows)))
    assert "1 of 2 covariates are above it. The largest is 0.16: weight, old against new." in page


def test_without_two_options_in_the_population_there_is_no_balance() -> None:
    content = effect_content()
    page = render_effect_page(replace(content, results=replace(content.results, balance=())))
    assert "The analysis population holds patients of fewer than two options." in page


def test_excluded_patients_are_described_where_overlap_is_poor() -> None:
    page = render_effect_page(effect_content("obs_low"))
    assert "Warning: the conclusions do not cover the others." in page
    assert "Patients left out" in page


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    content, path = effect_content(), tmp_path / "new" / "page.html"
    write_effect_page(content, path)
    assert path.read_text(encoding="utf-8") == render_effect_page(content)
