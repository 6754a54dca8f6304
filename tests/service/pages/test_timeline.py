"""The timeline: what has a date, on one axis that ends at the decision."""

import datetime
from dataclasses import replace

import pyarrow as pa

from posology.advice.form.field import Field
from posology.cohorts.study.reader import read_study
from posology.domain.study import Bounds
from posology.language.catalogue import GERMAN, in_language
from posology.records.schema import EVENTS
from posology.service.pages.timeline import MOST_ROWS, target_ranges, timeline
from posology.workflows.advice.what_if import FactValue, PatientFacts

NOW = datetime.datetime(2026, 11, 27, 8, 40)  # noqa: DTZ001 - MEDS times have no zone
HBA1C = Field("HbA1c", "LAB//HBA1C", "number", unit="mmol/mol")
AMIODARONE = Field("amiodarone", "DRUG//A", "yes_no", (("yes", "DRUG//A"), ("no", "")))
SEX = Field("sex", "SEX", "choice", (("f", "SEX//f"), ("m", "SEX//m")))


def facts(rows: list[tuple[str, int | None, float | None]], fields: list[Field]) -> PatientFacts:
    """rows: code, days before now, value."""
    events = [
        {
            "subject_id": 1,
            "code": code,
            "time": None if days is None else NOW - datetime.timedelta(days=days),
            "numeric_value": value,
        }
        for code, days, value in rows
    ]
    values = tuple(FactValue(field, "yes" if field.choices else "") for field in fields)
    return PatientFacts(pa.Table.from_pylist(events, schema=EVENTS), NOW, values)


def test_nothing_dated_has_no_timeline() -> None:
    assert timeline(facts([("SEX//f", None, None)], [SEX])) is None


def test_the_axis_spans_what_is_dated_and_the_last_value_is_in_words() -> None:
    shown = timeline(facts([("LAB//HBA1C", 40, 68.0), ("LAB//HBA1C", 0, 71.0)], [HBA1C]))
    assert shown is not None
    assert shown.note == "The last two months. Dashed: the decision."
    (row,) = shown.results
    assert (row.label, row.unit, row.latest) == ("HbA1c", "mmol/mol", "71 on 27-Nov-2026")
    assert "<title>68 on 18-Oct-2026; 71 on 27-Nov-2026</title>" in row.picture
    assert 'cx="96.00%"' in row.picture
    assert 'cx="32.00%"' in row.picture


def test_an_old_result_is_an_arrow_with_its_date_and_stands_last() -> None:
    old = Field("ALT", "LAB//ALT", "number", unit="U/L")
    shown = timeline(facts([("LAB//ALT", 430, 24.0), ("LAB//HBA1C", 3, 71.0)], [old, HBA1C]))
    assert shown is not None
    assert [row.label for row in shown.results] == ["HbA1c", "ALT"]
    assert "\u25c4 23-Sep-2025" in shown.results[1].picture
    assert "<circle" not in shown.results[1].picture


def test_a_long_time_without_results_is_dotted_and_a_range_is_shaded() -> None:
    days = (170, 160, 5, 2)
    rows = [("LAB//HBA1C", at, 60.0 + at / 10) for at in days]
    shown = timeline(facts(rows, [HBA1C]), {"LAB//HBA1C": Bounds(48.0, 58.0)})
    assert shown is not None
    assert shown.note.endswith("Shaded: the range to be reached.")
    picture = shown.results[0].picture
    assert picture.count('class="path"') == 2
    assert picture.count('class="path gap"') == 1
    assert '<rect class="usual" width="96%" y="' in picture
    assert "; to be reached: 48 to 58</title>" in picture
    assert "Shaded" not in timeline(facts(rows, [HBA1C])).note  # type: ignore[union-attr]


def test_a_single_result_is_a_point_with_its_value_and_no_line() -> None:
    shown = timeline(facts([("LAB//HBA1C", 7, 68.0)], [HBA1C]), {"LAB": Bounds(None, 53.0)})
    assert shown is not None
    picture = shown.results[0].picture
    assert (picture.count("<circle"), picture.count(">68</text>")) == (1, 1)
    assert 'class="path' not in picture
    assert "to be reached: at most 53" in picture
    study = read_study("iwpc")
    assert target_ranges(study) == {}
    goal = replace(study.outcome, range=Bounds(2.0, 3.0), codes=("INR",))
    assert target_ranges(replace(study, outcome=goal)) == {"INR": Bounds(2.0, 3.0)}


def test_a_medicine_is_a_bar_since_its_date() -> None:
    shown = timeline(facts([("DRUG//A", 30, None)], [AMIODARONE]))
    assert shown is not None
    (row,) = shown.courses
    assert (row.label, row.latest) == ("Amiodarone", "since 28-Oct-2026")
    assert 'x="48.00%" width="48.00%"' in row.picture


def test_more_results_than_fit_are_folded_away() -> None:
    fields = [Field(f"r{n}", f"LAB//{n}", "number") for n in range(MOST_ROWS + 3)]
    shown = timeline(facts([(field.stem, 1, 1.0) for field in fields], fields))
    assert shown is not None
    assert (len(shown.results), len(shown.more)) == (MOST_ROWS, 3)


def test_a_name_cannot_break_the_picture() -> None:
    shown = timeline(facts([("DRUG//A", 3, None)], [Field("<b>", "DRUG//A", "choice")]))
    assert shown is not None
    assert "<b>" not in shown.courses[0].picture


def test_a_german_timeline_has_german_days_numbers_and_words() -> None:
    rows = [("LAB//HBA1C", 40, 68.5), ("LAB//HBA1C", 0, 1071.0), ("DRUG//A", 30, None)]
    with in_language(GERMAN):
        goal = {"LAB//HBA1C": Bounds(None, 53.5)}
        shown = timeline(facts(rows, [HBA1C, AMIODARONE]), goal)
        old = timeline(facts([("LAB//HBA1C", 300, 68.5)], [HBA1C]))
    assert shown is not None
    assert old is not None
    assert shown.note == (
        "Die letzten zwei Monate. Gestrichelt: die Entscheidung. Hinterlegt: der Zielbereich."
    )
    (result,), (course,) = shown.results, shown.courses
    assert result.latest == "1.071 am 27.11.2026"
    assert "68,5 am 18.10.2026" in result.picture
    assert "Zielbereich: höchstens 53,5</title>" in result.picture
    assert course.latest == "seit 28.10.2026"
    assert ">jetzt</text>" in shown.axis
    assert ">28.09.</text>" in shown.axis
    assert ">11/25</text>" in old.axis
