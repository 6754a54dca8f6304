"""Options that are ranges of the one dose: no doses to give, no column without content."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from posology.domain.recommendation.option import NOT_ESTIMATED, REFERENCE
from posology.domain.recommendation.recommendation import BETTER_FOR_PATIENT, DOSE_ONLY
from posology.language.catalogue import in_language
from posology.report.patient.option_rows import RANGES, option_table
from posology.report.patient.page import render_patient_page
from posology.report.patient.sections import FEW_FACTS
from posology.report.patient.terminal import render_advice
from posology.service.pages.what_if import compare
from tests.builders.browser import CHROMIUM, lay_out
from tests.builders.html import read_html
from tests.builders.recommendations import ADVICE_BY_STATE

_BETTER = ADVICE_BY_STATE[BETTER_FOR_PATIENT]
ADVICE = replace(
    ADVICE_BY_STATE[DOSE_ONLY],
    options=tuple(
        replace(option, standing=NOT_ESTIMATED, difference=None, harms=(), remarks=())
        for option in _BETTER.options
    ),
)


def test_a_range_of_doses_is_not_shown_as_a_dose_to_give() -> None:
    assert any(option.dose for option in ADVICE.options)
    table = option_table(ADVICE)
    assert table is not None
    assert {row.dose for row in table.rows} == {""}
    assert table.note.startswith(f"{RANGES} Also: how many of the similar patients had such")
    assert table.heading == "In which range this patient's dose lies"


def test_the_models_figures_and_the_similar_patients_are_not_taken_for_one_another() -> None:
    table = option_table(ADVICE)
    assert table is not None
    assert table.rows[0].notes == ("96 of 214 similar patients had such a dose",)
    assert "so the two may differ" in table.note
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render_advice(ADVICE))
    shown = " ".join(console.export_text().split())
    assert "Need such a dose 58 (50 to 66)" in shown
    assert "Reach the goal" not in shown
    compared = option_table(_BETTER)
    assert compared is not None
    assert "given to 96 similar patients" in compared.rows[0].notes


@pytest.mark.parametrize("beginning", ["For the goal this", "The level of the goal"])
def test_an_average_of_all_is_not_of_patients_like_this_one_in_older_answers_too(
    beginning: str,
) -> None:
    remarks = (f"{beginning} is the average of all patients: this one's own is not known.",)
    options = tuple(
        replace(o, remarks=remarks) if o.standing == REFERENCE else o for o in _BETTER.options
    )
    advice = replace(_BETTER, options=options)
    table = option_table(advice)
    assert table is not None
    assert "Figures: how many of 100 patients, with" in table.note
    for language, head in (("en", "Benefit, of 100"), ("de", "Nutzen, von 100")):
        with in_language(language):
            assert f">{head}</td>" in render_patient_page(advice)


@pytest.mark.parametrize("standing", [NOT_ESTIMATED, REFERENCE])
def test_without_figures_none_are_explained(standing: str) -> None:
    bare = tuple(
        replace(o, standing=standing, outcome=None, difference=None, harms=())
        for o in _BETTER.options
    )
    for advice in (ADVICE, _BETTER):
        shown = " ".join(read_html(render_patient_page(replace(advice, options=bare))).text)
        assert "igures" not in shown
        assert "They share only the facts named under “How sure”." in shown
    assert "Figures: how many of 100 patients like this one" in render_patient_page(_BETTER)
    assert FEW_FACTS in render_patient_page(_BETTER)


def test_a_column_that_holds_nothing_is_left_out_and_the_reason_stands_once() -> None:
    shown = " ".join(" ".join(read_html(render_patient_page(ADVICE)).text).split())
    assert "Against usual care" not in shown
    assert shown.count("no row is compared with usual care") == 1
    compared = " ".join(" ".join(read_html(render_patient_page(_BETTER)).text).split())
    assert "Against usual care" in compared


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_on_a_telephone_a_range_has_the_whole_line(tmp_path: Path) -> None:
    """Its name broke in the middle of an empty line: the width is that of a column."""
    heights = set()
    for title in ("Low dose", "Medium dose, 21 to 49 mg a week"):
        first, *others = ADVICE.options
        named = replace(ADVICE, options=(replace(first, title=title), *others))
        (layout,) = lay_out(render_patient_page(named), tmp_path, [(390, "light")])
        heights.add(layout.height)
    assert len(heights) == 1


def test_what_if_compares_the_dose_and_not_those_of_its_ranges() -> None:
    rows = {row.title: row.cells for row in compare(ADVICE, ADVICE, "").rows}
    assert rows["Low start"][2:] == ("", "")
    assert rows["Dose"][2:] == ("16 mg a week", "16 mg a week")
