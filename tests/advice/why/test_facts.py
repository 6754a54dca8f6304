"""Facts of a policy, and what is kept of the training patients' values."""

import json
from dataclasses import replace

import numpy as np
import pytest

from posology.advice.form.build import build_form
from posology.advice.form.training_facts import measure_facts
from posology.advice.form.unit_names import plain_unit
from posology.advice.why.evidence import measure_why, read_why
from posology.advice.why.facts import (
    GRID,
    SINCE,
    SMALLEST_CELL,
    Fact,
    fact_numbers,
    measure_values,
)
from posology.advice.why.values import first_by_value, policy_values
from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.history import History, offsets_from_counts
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.reasons import PROFILE, patient


def facts_by_name() -> dict[str, Fact]:
    train = select_split(iwpc_cohort(), TRAIN)
    form = build_form(train.study, train.profile, measure_facts(train))
    known = read_why(
        {"why": measure_why(train, select_split(iwpc_cohort(), VALIDATION), form, None)}
    )
    assert known is not None
    return {fact.name: fact for fact in known.facts}


def test_every_code_is_in_exactly_one_fact_and_formulas_in_none() -> None:
    profile = iwpc_cohort().profile
    formulas = {profile.codes.index(f.event) for f in profile.formulas}
    assert formulas
    rows = [row for fact in facts_by_name().values() for row in fact.rows]
    assert sorted(rows) == sorted(set(range(len(profile.codes))) - formulas)


def test_the_values_of_a_choice_are_one_fact_with_their_shares() -> None:
    train = select_split(iwpc_cohort(), TRAIN)
    gene = next(f for name, f in facts_by_name().items() if "VKORC1" in name)
    codes = {train.profile.codes[row] for row in gene.rows}
    assert codes == {f"GENOTYPE//VKORC1_rs9923231//{x}" for x in ("A/A", "A/G", "G/G")}
    assert abs(sum(v.share for v in gene.values) - 1) < 0.001
    assert 0.8 < gene.known < 1.0


def test_a_number_keeps_the_middles_of_equal_shares_and_no_patient() -> None:
    weight = next(f for name, f in facts_by_name().items() if "weight" in name.lower())
    assert len(weight.values) <= GRID
    train = select_split(iwpc_cohort(), TRAIN)
    row = weight.rows[0]
    numbers = train.history.value[train.history.code == row]
    below = [float((numbers <= v.number).mean()) for v in weight.values if v.number is not None]
    np.testing.assert_allclose(below, (np.arange(GRID) + 0.5) / GRID, atol=0.02)


def test_values_of_fewer_than_five_patients_are_not_kept() -> None:
    few = [patient((("SEX//female", np.nan),), (("LAB//bmi", float(x)),)) for x in range(4)]
    many = [patient((("SEX//male", np.nan),), (("LAB//bmi", 30.0),)) for _ in range(SMALLEST_CELL)]
    history = _joined([*few, *many])
    sex = Fact("sex", "", "choice", (2, 3))
    mass = Fact("body mass index", "", "number", (1,))
    found = measure_values((sex, mass), history, history.step_offsets[1:] - 1, PROFILE)
    assert [value.row for value in found[0].values] == [3]
    assert [value.number for value in found[1].values] == [30.0]


def _joined(histories: list[History]) -> History:
    counts = np.concatenate([np.diff(h.event_offsets) for h in histories])
    return replace(
        histories[0],
        code=np.concatenate([h.code for h in histories]),
        value=np.concatenate([h.value for h in histories]),
        event_offsets=offsets_from_counts(counts),
        time=np.concatenate([h.time for h in histories]),
        step_offsets=offsets_from_counts(np.array([len(h.time) for h in histories], np.int64)),
        subject_id=np.arange(len(histories), dtype=np.int64),
    )


def test_a_finding_that_everyone_has_counts_by_its_date() -> None:
    histories = [
        patient((("SEX//male", np.nan),), (("CONDITION//failing", np.nan),), (("LAB//bmi", 30.0),))
        for _ in range(60)
    ]
    history = _joined(histories)
    fact = Fact("diabetes", "", "presence", (4,))
    (found,) = measure_values((fact,), history, history.step_offsets[1:] - 1, PROFILE)
    assert found.kind == SINCE
    assert [v.number for v in found.values] == [pytest.approx(10 / 365)]


@pytest.mark.parametrize(("day", "age"), [(-1, 64.0), (0, 65.0), (200, 65.0)])
def test_an_age_is_in_completed_years_by_the_calendar(day: int, age: float) -> None:
    born, birthday = (
        float((np.datetime64(date) - np.datetime64("1970-01-01")).astype(int))
        for date in ("1961-11-30", "2026-11-30")
    )
    assert (birthday - born) / 365.25 < 65
    history = patient((), (("CONDITION//failing", np.nan),), (("LAB//bmi", 30.0),))
    history = replace(history, time=np.array([np.nan, born, birthday + day]))
    fact = Fact("age", "", SINCE, (4,), age_as="birth")
    assert fact_numbers(fact, np.array([0]), history, np.array([2])).tolist() == [age]


def test_units_are_written_as_people_write_them() -> None:
    assert plain_unit("mL/min/{1.73_m2}") == "mL/min/1.73 m²"
    assert plain_unit("{score}") == ""
    assert plain_unit("kg/m2") == "kg/m²"
    assert plain_unit("mm[Hg]") == "mmHg"


def test_what_is_kept_is_json_and_holds_no_patient() -> None:
    train = select_split(iwpc_cohort(), TRAIN)
    form = build_form(train.study, train.profile, measure_facts(train))
    chooser = first_by_value(policy_values(fitted_policy("logistic"), train.study))
    kept = measure_why(train, select_split(iwpc_cohort(), VALIDATION), form, chooser)
    known = read_why({"why": json.loads(json.dumps(kept))})
    assert known is not None
    assert known.surrogate is not None
    assert 0.5 < known.surrogate.fidelity <= 1.0
    assert set(kept) == {"facts", "surrogate", "groups"}
