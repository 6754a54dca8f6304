"""A cohort as plain arrays, or as a table of one row a decision."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float32, Int32, Int64

from posology.domain.cohort import SPLITS, Cohort
from posology.learners.features.rewards import follow_up_weights
from posology.records.io.times import MICROSECONDS_PER_DAY
from posology.workflows.exchange.facts import extract_facts

COLUMNS = (
    *("subject_id", "time", "split", "site", "treatment", "dose", "outcome", "effective", "reward"),
    *("weight", "best_treatment"),
)
"""Columns of a table beside the facts; those of which nothing is known are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class DecisionArrays:
    """One row a decision, in the cohort's order. Unknown is NaN, and -1 in whole numbers."""

    X: Float32[np.ndarray, "decision fact"]
    """What is known at the decision."""
    facts: tuple[str, ...]
    """Names of the columns of X."""
    treatment: Int32[np.ndarray, " decision"]
    """The option given, as a row of `treatments`."""
    treatments: tuple[str, ...]
    dose: Float32[np.ndarray, " decision"]
    outcome: Float32[np.ndarray, " decision"]
    effective: Float32[np.ndarray, " decision"]
    """1 if the option given was effective, 0 if not."""
    reward: Float32[np.ndarray, " decision"]
    weight: Float32[np.ndarray, " decision"]
    """Inverse probability of observing the outcome; 0 where it is not observed, 1 where every
    outcome is."""
    best_treatment: Int32[np.ndarray, " decision"]
    """The most effective option, as a row of `treatments`."""
    subject_id: Int64[np.ndarray, " decision"]
    time: np.ndarray
    """Time zero, as datetime64[us]."""
    split: np.ndarray
    """`train`, `validation` or `test`, the same for all decisions of a patient."""
    site: Int32[np.ndarray, " decision"]


def to_arrays(cohort: Cohort) -> DecisionArrays:
    """A cohort's decisions as arrays, for scikit-learn and others.

    The columns of X follow from all decisions: give the whole cohort, and select rows by `split`.
    """
    facts = extract_facts(cohort, COLUMNS)
    return DecisionArrays(
        X=facts.X,
        facts=facts.names,
        treatment=cohort.treatment,
        treatments=cohort.study.formulary.names,
        dose=cohort.dose,
        outcome=cohort.outcome,
        effective=cohort.effective,
        reward=cohort.reward,
        weight=follow_up_weights(cohort),
        best_treatment=cohort.best_treatment,
        subject_id=cohort.history.subject_id[cohort.subject],
        time=decision_times(cohort),
        split=np.array(SPLITS)[cohort.split],
        site=cohort.site,
    )


def to_frame(cohort: Cohort) -> pa.Table:
    """A cohort's decisions as an Arrow table: who, when, the facts, treatment and outcome.

    `to_frame(cohort).to_pandas()` is a data frame. Unknown is null.
    """
    arrays = to_arrays(cohort)
    who = {
        "subject_id": pa.array(arrays.subject_id),
        "time": pa.array(arrays.time),
        "split": pa.array(arrays.split.tolist(), pa.string()),
        "site": _whole(arrays.site, np.full(len(cohort), len(np.unique(arrays.site)) > 1)),
    }
    facts = {name: _numbers(arrays.X[:, at]) for at, name in enumerate(arrays.facts)}
    done = {
        "treatment": _options(arrays.treatment, arrays.treatments),
        "dose": _numbers(arrays.dose),
        "outcome": _numbers(arrays.outcome),
        "effective": _whole(arrays.effective, ~np.isnan(arrays.effective)),
        "reward": _numbers(arrays.reward),
        "weight": _numbers(arrays.weight),
        "best_treatment": _options(arrays.best_treatment, arrays.treatments),
    }
    always = ("subject_id", "time", "split", "treatment", "weight")
    columns = {
        name: column
        for name, column in (who | facts | done).items()
        if name in facts or name in always or column.null_count < len(column)
    }
    return pa.table(columns)


def decision_times(cohort: Cohort) -> np.ndarray:
    """Time zero of each decision as datetime64[us]; not-a-time where it is not dated."""
    days = cohort.history.time[cohort.last_step] if cohort.time is None else cohort.time
    known = ~np.isnan(days)
    times = np.full(len(days), np.datetime64("NaT", "us"))
    whole = np.rint(days[known] * MICROSECONDS_PER_DAY).astype(np.int64)
    times[known] = whole.astype("datetime64[us]")
    return times


def _numbers(values: np.ndarray) -> pa.Array:
    return pa.array(values, pa.float32(), mask=np.isnan(values))


def _whole(values: np.ndarray, known: np.ndarray) -> pa.Array:
    return pa.array(np.where(known, values, 0).astype(np.int32), mask=~known)


def _options(rows: np.ndarray, names: tuple[str, ...]) -> pa.Array:
    return pa.array([names[row] if row >= 0 else None for row in rows], pa.string())
