"""Predictions of another program: the same numbers in as out, and clear errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from posology.cohorts.build import build_cohort
from posology.domain.cohort import TEST, Cohort, select_split
from posology.domain.policy import Policy
from posology.errors import UserError
from posology.evaluation.table1.comparison import compare_models
from posology.evaluation.table1.predictions import predict_cohort
from posology.learners.guidelines.formula import build_formula_policy
from posology.learners.outcome_models.logistic import LogisticLearner
from posology.workflows.exchange.decisions import to_frame
from posology.workflows.exchange.predictions import read_named_predictions, read_predictions
from tests.builders import synthetic_iwpc
from tests.builders.belief_cohort import small_trajectories
from tests.builders.two_drug_records import event_table, study

NAMES = ("low", "medium", "high")


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return synthetic_iwpc.cohort(240)


@pytest.fixture(scope="module")
def policy(cohort: Cohort) -> Policy:
    return LogisticLearner().fit(select_split(cohort, "train"), select_split(cohort, "validation"))


def _keys(cohort: Cohort) -> pa.Table:
    return to_frame(cohort).filter(pa.array(cohort.split == TEST)).select(["subject_id", "time"])


def _table(cohort: Cohort, columns: dict[str, np.ndarray]) -> pa.Table:
    keys = _keys(cohort)
    return pa.table({name: keys[name] for name in keys.column_names} | columns)


def _predicted(policy: Policy, cohort: Cohort) -> dict[str, np.ndarray]:
    predicted = predict_cohort(policy, select_split(cohort, TEST))
    chosen = {f"choose_{n}": predicted.probabilities[:, at] for at, n in enumerate(NAMES)}
    effective = {f"effective_{n}": predicted.effectiveness[:, at] for at, n in enumerate(NAMES)}
    return chosen | effective


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_policy_that_went_out_comes_back_with_the_same_figures(
    cohort: Cohort, policy: Policy, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"other.{ending}"
    table = _table(cohort, _predicted(policy, cohort))
    table = table.take(pa.array(np.random.default_rng(0).permutation(len(table))))
    (pyarrow.csv.write_csv if ending == "csv" else pq.write_table)(table, path)
    test = select_split(cohort, TEST)
    predictions = {
        "posology": predict_cohort(policy, test),
        "other": predict_cohort(read_predictions(path, cohort), test),
    }
    table1 = compare_models(predictions, test, np.random.default_rng(0), replicates=20)
    for metric in ("accuracy", "auc", "reward"):
        ours, theirs = table1.row("posology", metric), table1.row("other", metric)
        assert theirs.value == pytest.approx(ours.value), metric
    assert table1.row("other", "accuracy").value > 0.5


def test_a_dose_alone_names_the_option_whose_range_holds_it(cohort: Cohort) -> None:
    rule = cohort.study.rules[-1].formula
    assert rule is not None
    formula = build_formula_policy(rule, select_split(cohort, "train"))
    test = select_split(cohort, TEST)
    expected = predict_cohort(formula, test)
    known = ~np.isnan(expected.dose)
    assert known.all()
    imported = read_predictions(_table(cohort, {"dose": expected.dose}), cohort)
    found = predict_cohort(imported, test)
    np.testing.assert_allclose(found.dose, expected.dose)
    assert (found.probabilities.argmax(1) == expected.probabilities.argmax(1)).all()


def test_one_by_one_is_the_same_as_all_and_a_subset_of_patients_too(
    cohort: Cohort, policy: Policy
) -> None:
    imported = read_predictions(_table(cohort, _predicted(policy, cohort)), cohort)
    rows = np.flatnonzero(cohort.split == TEST)[::-1]
    everything = np.ones((len(rows), 3), dtype=bool)
    all_at_once = imported.choice_probabilities(cohort.history, cohort.last_step[rows], everything)
    for at, row in enumerate(rows[:20]):
        one = imported.choice_probabilities(cohort.history, cohort.last_step[[row]], everything[:1])
        np.testing.assert_array_equal(one[0], all_at_once[at])


def test_a_forbidden_choice_goes_to_the_others(cohort: Cohort) -> None:
    table = _table(cohort, {"treatment": np.array(["low"] * int((cohort.split == TEST).sum()))})
    imported = read_predictions(table, cohort)
    steps = select_split(cohort, TEST)
    allowed = np.array([[False, True, True]] * len(steps))
    found = imported.choice_probabilities(steps.history, steps.last_step, allowed)
    assert (found == [0, 0.5, 0.5]).all()
    effectiveness = imported.predict_effectiveness(steps.history, steps.last_step, allowed)
    assert (effectiveness[:, 0] == 0).all()


def test_other_decisions_are_not_predicted(cohort: Cohort, policy: Policy) -> None:
    imported = read_predictions(_table(cohort, _predicted(policy, cohort)), cohort)
    with pytest.raises(UserError, match="the imported predictions have no row for"):
        predict_cohort(imported, select_split(cohort, "train"))


def test_decisions_without_a_date_come_back_by_their_patient(cohort: Cohort) -> None:
    undated = replace(cohort, time=np.full(len(cohort), np.nan))
    frame = to_frame(undated).select(["subject_id", "time", "treatment"])
    imported = read_predictions(frame, undated)
    everything = np.ones((len(cohort), len(NAMES)), dtype=bool)
    found = imported.choice_probabilities(cohort.history, cohort.last_step, everything)
    assert (found.argmax(axis=1) == cohort.treatment).all()


def reviewed_twice() -> Cohort:
    """59 patients of two reviews, between which the study records nothing."""
    rows: list[tuple[int, float | None, str, float | None]] = []
    for subject in range(1, 60):
        drug, after = ("DRUG//A", 4.0) if subject % 2 else ("DRUG//B", 6.0)
        rows += [(subject, None, "SEX//m", None), (subject, -5, "LAB", 6.0)]
        rows += [(subject, day, code, None) for day in (0, 3) for code in ("REVIEW", drug)]
        rows += [(subject, 20, "LAB", after), (subject, 60, "NOTE", None)]
    few = ('families = ["SEX", "LAB", "DRUG", "HARM", "NOTE"]', 'families = ["SEX", "LAB"]')
    return build_cohort(event_table(*rows), study(few))


def test_decisions_with_the_same_history_have_the_same_prediction() -> None:
    cohort = reviewed_twice()
    assert (cohort.last_step[::2] == cohort.last_step[1::2]).all()
    frame = to_frame(cohort)
    who = {name: frame[name] for name in ("subject_id", "time")}
    alike = pa.table(who | {"treatment": np.repeat(["a"] * 29 + ["b"] * 30, 2)})
    found = predict_cohort(read_predictions(alike, cohort), cohort).probabilities.argmax(axis=1)
    assert found.tolist() == [0] * 58 + [1] * 60
    differing = pa.table(who | {"treatment": ["a", "b"] * 59})
    subject = frame["subject_id"][0].as_py()
    with pytest.raises(
        UserError,
        match=rf"predictions, row 2: predicts otherwise than row 1, an earlier decision of patient "
        rf"{subject} with the same recorded facts \(such rows: 59\); give both the same",
    ):
        read_predictions(differing, cohort)


def test_several_decisions_of_a_patient_are_told_by_their_time() -> None:
    cohort = small_trajectories()
    names = cohort.study.formulary.names
    frame = to_frame(cohort)
    chosen = [names[at % len(names)] for at in range(len(frame))]
    columns = {"subject_id": frame["subject_id"], "time": frame["time"], "treatment": chosen}
    imported = read_predictions(pa.table(columns), cohort)
    everything = np.ones((len(cohort), len(names)), dtype=bool)
    found = imported.choice_probabilities(cohort.history, cohort.last_step, everything)
    assert (found.argmax(1) == np.arange(len(cohort)) % len(names)).all()
    with pytest.raises(UserError, match="has no column time; take it from `posology export"):
        read_predictions(pa.table({n: columns[n] for n in ("subject_id", "treatment")}), cohort)


def _write(cohort: Cohort, tmp_path: Path, change: dict[str, object]) -> Path:
    keys = _keys(cohort)
    lines = ["subject_id,time,treatment,dose"]
    lines += [f"{r['subject_id']},{r['time']},low,10" for r in keys.to_pylist()]
    for at, line in change.items():
        lines[int(at)] = str(line)
    path = tmp_path / "p.csv"
    path.write_text("\n".join(line for line in lines if line) + "\n")
    return path


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"0": "subject_id,time,treatmnt,dose"}, "column 'treatmnt' is none of .*; rename it to t"),
        ({"0": "subject_id,time,treatment,treatment"}, "line 1: column 'treatment' stands there t"),
        ({"3": "ID,2000-01-01,low,10"}, "line 4, subject_id: the cell is not a whole number"),
        ({"3": "99999,2000-01-01,low,10"}, "line 4: subject_id is no patient of the cohort; `pos"),
        ({"3": "{subject},1999-01-01,low,10"}, "line 4: time is no decision of this patient; `po"),
        ({"3": "{subject},soon,low,10"}, "line 4, time: the cell is not a time such as 2024-05-3"),
        ({"3": "{subject},2000-01-01,lo,10"}, "line 4, treatment: 'lo' is no option; write low"),
        ({"3": "{subject},2000-01-01,low,-1"}, "line 4, dose: '-1' is not a dose, 0 or more, or"),
        ({"3": "{subject},2000-01-01,low"}, "line 4: has 3 cells for 4 columns; give every row a"),
        ({"3": ""}, "has no row for 1 of .* test decisions, the first of which is decision"),
        ({"3": "{before},2000-01-01,low,10"}, "line 4: the same decision as line 3; keep one of"),
    ],
)
def test_a_wrong_row_is_an_error_with_its_place(
    cohort: Cohort, tmp_path: Path, change: dict[str, str], expected: str
) -> None:
    ids = _keys(cohort)["subject_id"].to_pylist()
    change = {at: text.format(subject=ids[2], before=ids[1]) for at, text in change.items()}
    with pytest.raises(UserError, match=expected):
        read_predictions(_write(cohort, tmp_path, change), cohort)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"choose_low": 0.5, "choose_medium": 0.5}, "has choose_low and not choose_high; give a"),
        ({"choose_low": 0.5, "choose_medium": 0.5, "choose_high": 0.5}, r"row 1: choose_\* sum to"),
        ({f"effective_{n}": 1.5 for n in NAMES}, "row 1, effective_low: 1.5 is not a number from"),
        ({"dose": 500.0}, "row 1, dose: 500.0 is in no option's range; give a dose within"),
        ({}, "says nothing of the options; add a column treatment with the option chosen"),
    ],
)
def test_wrong_probabilities_are_an_error(
    cohort: Cohort, columns: dict[str, float], expected: str
) -> None:
    count = int((cohort.split == TEST).sum())
    table = _table(cohort, {name: np.full(count, value) for name, value in columns.items()})
    with pytest.raises(UserError, match=expected):
        read_predictions(table, cohort)


def test_a_file_that_cannot_be_read_is_an_error(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "p.parquet").write_text("no")
    (tmp_path / "p.csv").write_bytes(b"subject_id\n\xff\n")
    for name, expected in (
        ("gone.csv", "no such file"),
        ("p.parquet", "is no Parquet file"),
        ("p.csv", "is no CSV file in UTF-8"),
    ):
        with pytest.raises(UserError, match=expected):
            read_predictions(tmp_path / name, cohort)
    (tmp_path / "p.txt").write_text("subject_id\n")
    with pytest.raises(UserError, match=r"must end in \.csv or \.parquet"):
        read_predictions(tmp_path / "p.txt", cohort)


def test_columns_that_stand_there_twice_and_parts_of_a_number_are_errors(cohort: Cohort) -> None:
    keys = _keys(cohort)
    options = pa.array(["low"] * len(keys))
    columns = [keys["subject_id"], keys["time"], options, options]
    twice = pa.Table.from_arrays(columns, names=["subject_id", "time", "treatment", "treatment"])
    with pytest.raises(UserError, match="column 'treatment' stands there twice; remove one"):
        read_predictions(twice, cohort)
    half = pa.array([subject + 0.5 for subject in keys["subject_id"].to_pylist()])
    table = pa.table({"subject_id": half, "time": keys["time"], "treatment": options})
    with pytest.raises(UserError, match="row 1, subject_id: the cell is not a whole number"):
        read_predictions(table, cohort)


def test_names_must_be_new(cohort: Cohort, tmp_path: Path) -> None:
    path = _write(cohort, tmp_path, {})
    assert set(read_named_predictions([str(path), f"other={path}"], cohort)) == {"p", "other"}
    for name in ("posology", "usual", "", "boosting", cohort.study.rules[0].name):
        with pytest.raises(UserError, match="is empty or taken; write --beside NAME="):
            read_named_predictions([f"{name}={path}"], cohort)


def test_probabilities_may_be_rounded(cohort: Cohort) -> None:
    count = int((cohort.split == TEST).sum())
    third = {f"choose_{n}": np.full(count, 0.3333) for n in NAMES}
    imported = read_predictions(_table(cohort, third), cohort)
    np.testing.assert_allclose(imported.choice.sum(axis=1), 1.0)


def test_a_study_without_dose_classes_needs_the_option(cohort: Cohort) -> None:
    study = replace(cohort.study, outcome=replace(cohort.study.outcome, kind="occurs"))
    count = int((cohort.split == TEST).sum())
    with pytest.raises(UserError, match="says nothing of the options"):
        read_predictions(
            _table(cohort, {"dose": np.full(count, 30.0)}), replace(cohort, study=study)
        )
