from dataclasses import replace
from pathlib import Path

import pytest

from posology.evaluation.effects.overlap import Balance
from posology.report.effects.design_sections import overlap
from posology.report.effects.page import render_effect_page, write_effect_page
from posology.report.effects.question_sections import baseline, question
from tests.builders.effect_report import effect_content, time_content
from tests.builders.html import read_html


@pytest.fixture(scope="module")
def page() -> str:
    return render_effect_page(effect_content())


def test_the_heading_is_the_verdict_and_the_estimand_follows(page: str) -> None:
    head = page[page.index("<h1>") + 4 : page.index("</h1>")]
    assert head.startswith("Personalising gains 0.")
    assert head.endswith("points over the best single option, new.")
    estimand = page.index("Mean points within 90 days of the decision.")
    assert page.index("</h1>") < estimand < page.index("<main>")


def test_elements_are_balanced_and_every_link_has_a_target(page: str) -> None:
    reader = read_html(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert set(reader.link_targets) <= set(reader.ids)
    sections = {"trial", "patients", "options", "harms", "rule", "effects", "groups", "overlap"}
    assert {*sections, "methods", "tripod"} <= set(reader.ids)


def test_the_flow_and_table_1_stand_before_any_effect(page: str) -> None:
    assert page.index("<b>700</b> patients in the records") < page.index("Table 1.")
    assert page.index("Table 1.") < page.index("What is the outcome with each option?")
    assert "age, years" in page


def test_the_unadjusted_column_holds_the_raw_data(page: str) -> None:
    content = effect_content()
    assert content.raw.outcome is not None
    arm = content.raw.outcome.arms[0]
    assert f"{arm.mean:.3g} ({arm.deviation:.3g})" in page
    raw = content.raw.outcome.differences[0]
    assert f"{raw.value:+.2f} ({raw.low:.2f} to {raw.high:.2f})" in page
    assert "Difference, unadjusted (95\u00a0%)" in page
    assert "new (compared with)" in page
    assert "new (compared with, unadjusted)" in page
    assert "(reference" not in page, "the reference may be usual care"


def test_harms_are_absolute_and_per_100_patients(page: str) -> None:
    content = effect_content()
    section = page[page.index('<section id="harms">') : page.index('<section id="rule">')]
    shown, folded = section.split("<details>")
    assert "per 100 patients; costs in their own unit." in shown
    assert "Bleeding, per 100 patients; differences from new." in folded
    arm = content.raw.harms["bleeding"].arms[0]
    assert f"{arm.total:,.0f}/{arm.known:,} ({100 * arm.mean:.1f} %)" in section


def test_the_certainty_of_one_patients_effect_is_reported(page: str) -> None:
    assert "old is clearly better than new for" in page
    assert "For the other patients there is no reliable difference." in page
    assert "If clinicians chose for the" in page


def test_only_groups_that_differ_are_shown_and_all_are_folded(page: str) -> None:
    section = page[page.index('<section id="groups">') : page.index('<section id="overlap">')]
    open_part, folded = section.split("<details>", 1)
    assert "In none of 1 groups with enough patients" in open_part
    assert "&lt;female&gt;" not in open_part
    assert "&lt;female&gt;" in folded
    assert "too few patients" in folded


def test_a_trial_has_curves_and_no_words_on_usual_care_or_confounders() -> None:
    page = render_effect_page(time_content())
    assert "Chance decided who was given which option, so nothing confounds" in page
    body = page[page.index("<main>") : page.index('<section id="methods">')]
    assert "Number at risk" in body
    assert "Restricted mean survival time by option" in body
    for word in ("usual care", "E-value", "Gamma", "If clinicians chose"):
        assert word not in body


def test_names_are_escaped_and_nothing_is_loaded(page: str) -> None:
    assert "<female>" not in page
    assert "<script" not in page
    assert "To choose." in page
    assert '<th scope="row">Not intended for</th><td class="long">Children.</td>' in page


def test_no_code_is_shown(page: str) -> None:
    assert "//" not in page
    study = effect_content().study
    decision = replace(study.decision, codes=("PROCEDURE//SNOMED//394725008",))
    content = replace(effect_content(), study=replace(study, decision=decision))
    (protocol,) = question(content, "old").folds[0].tables
    assert ("Time zero", "the first procedure SNOMED: 394725008") in protocol.rows


def test_balance_names_the_covariate_that_differs_most() -> None:
    content = effect_content()
    rows = (Balance("weight", "old", "new", 0.2, -0.164), Balance("age", "old", "new", 0.1, 0.02))
    section = baseline(replace(content, results=replace(content.results, balance=rows)))
    assert section.paragraphs == (
        "1 of 2 covariates differs by more than 0.1 between two options; weighted by inverse "
        "propensity, 1 still does, most of all weight (0.16).",
    )
    alone = baseline(replace(content, results=replace(content.results, balance=rows[1:])))
    assert alone.paragraphs[0].startswith("0 of 1 covariate differ")


def test_without_two_options_in_the_population_there_is_no_balance() -> None:
    content = effect_content()
    section = baseline(replace(content, results=replace(content.results, balance=())))
    assert section.paragraphs == (
        "The analysis population holds patients of fewer than two options.",
    )


def test_excluded_patients_are_described_where_overlap_is_poor() -> None:
    content = effect_content("obs_low")
    section = overlap(content.results, content.excluded, is_randomised=False)
    assert "They are the analysis population: the conclusions are about" in section.paragraphs[0]
    assert section.paragraphs[0].endswith("and the conclusions do not cover the others.")
    assert section.folds[1].tables[0].caption.startswith("Patients left out")


def test_the_same_content_gives_the_same_bytes(page: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "page.html"
    write_effect_page(effect_content(), path)
    assert path.read_text(encoding="utf-8") == page
