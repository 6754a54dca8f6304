"""Predictions of any other program as a policy, next to which a model is evaluated."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64

from posology.domain.cohort import TEST, Cohort
from posology.errors import UserError
from posology.workflows.exchange.decisions import decision_times
from posology.workflows.exchange.prediction_policy import PredictionTablePolicy
from posology.workflows.exchange.prediction_rows import (
    PredictionRows,
    check_columns,
    doses_of,
    options_of,
    read_rows,
    seconds_of,
    subjects_of,
)

_HINT = "`posology export COHORT --table FILE` writes both for every decision"


def read_predictions(source: str | Path | pa.Table, cohort: Cohort) -> PredictionTablePolicy:
    """Predictions for a cohort's decisions as a policy; every test decision must have one.

    Columns: `subject_id` and `time`, as `to_frame` has them (`time` only where patients have
    several decisions); the option in `treatment`, or its probabilities in `choose_OPTION` or
    `effective_OPTION`; and `dose`. Raises UserError with row, column, value and what to do.
    """
    rows = read_rows(source)
    subject_id = cohort.history.subject_id[cohort.subject]
    several = len(np.unique(subject_id)) < len(subject_id)
    if all(cell is None or cell == "" for cell in rows.columns.get("time", ())):
        rows.columns.pop("time", None)  # as `to_frame` has it of decisions without a date
    check_columns(rows, cohort.study, several)
    decision = _match(rows, cohort, subject_id)
    choose, effective = options_of(rows, cohort.study)
    dose = doses_of(rows)
    order = np.argsort(decision)
    at = decision[order]
    first = cohort.history.step_offsets[cohort.subject[at]]
    predicted = np.column_stack([choose, effective, dose])[order]
    _refuse_contradictions(rows, cohort, (order, at), predicted)
    return PredictionTablePolicy(
        formulary=cohort.study.formulary,
        profile=cohort.profile,
        subject_id=subject_id[at],
        step=cohort.last_step[at] - first,
        effectiveness=effective[order],
        choice=choose[order],
        dose=dose[order],
    )


def _refuse_contradictions(
    rows: PredictionRows,
    cohort: Cohort,
    decisions: tuple[Int64[np.ndarray, " row"], Int64[np.ndarray, " row"]],
    predicted: Float64[np.ndarray, "row column"],
) -> None:
    """UserError where decisions with the same history differ: a policy knows the history only.

    `decisions` are the rows of the file and of the cohort, in the order of `predicted`.
    """
    order, at = decisions
    _, first, group = np.unique(cohort.last_step[at], return_index=True, return_inverse=True)
    same = np.isclose(predicted, predicted[first[group]], equal_nan=True).all(axis=1)
    if same.all():
        return
    other = int(np.flatnonzero(~same)[0])
    place, subject = (
        order[first[group[other]]],
        cohort.history.subject_id[cohort.subject[at[other]]],
    )
    raise UserError(
        f"{rows.place(int(order[other]))}: predicts otherwise than {rows.unit} "
        f"{place + rows.first}, an earlier decision of patient {subject} with the same recorded "
        f"facts (such rows: {(~same).sum():,}); give both the same prediction, or build the cohort "
        "with [profile] families that record what happened between them."
    )


def read_named_predictions(
    sources: Sequence[str], cohort: Cohort
) -> Mapping[str, PredictionTablePolicy]:
    """The policies of `NAME=FILE` words; a file alone is named after itself."""
    from posology.learners.baselines import BASELINES, FORMULA_REFIT  # they import torch

    policies: dict[str, PredictionTablePolicy] = {}
    taken = {"posology", "usual", FORMULA_REFIT, *(rule.name for rule in cohort.study.rules)}
    taken |= {baseline.name for baseline in BASELINES}
    for source in sources:
        name, equals, path = source.partition("=")
        name, path = (name.strip(), path) if equals else (Path(source).stem, source)
        if not name or name in taken or name in policies:
            raise UserError(
                f"--beside {source}: the name {name!r} is empty or taken; write --beside NAME="
                f"{path} with a name of its own."
            )
        policies[name] = read_predictions(path, cohort)
    return policies


def _match(
    rows: PredictionRows, cohort: Cohort, subject_id: Int64[np.ndarray, " decision"]
) -> Int64[np.ndarray, " row"]:
    """The cohort's decision of each row; UserError if there is none, two, or a test one without."""
    subjects = subjects_of(rows)
    times = seconds_of(rows) if "time" in rows.columns else [0] * len(subjects)
    dated = "time" in rows.columns
    seconds = decision_times(cohort).astype("datetime64[s]").astype(np.int64)
    keys = zip(subject_id.tolist(), seconds.tolist() if dated else [0] * len(cohort), strict=True)
    decision_of = {key: at for at, key in enumerate(keys)}
    seen: dict[int, int] = {}
    known = set(subject_id.tolist())
    for row, key in enumerate(zip(subjects, times, strict=True)):
        at = decision_of.get(key)
        if at is None:
            what = (
                "time is no decision of this patient"
                if key[0] in known
                else ("subject_id is no patient of the cohort")
            )
            raise UserError(f"{rows.place(row)}: {what}; {_HINT}.")
        if at in seen:
            raise UserError(
                f"{rows.place(row)}: the same decision as {rows.unit} {seen[at] + rows.first}; "
                "keep one of the two."
            )
        seen[at] = row
    missing = (cohort.split == TEST) & ~np.isin(np.arange(len(cohort)), list(seen))
    if missing.any():
        raise UserError(
            f"{rows.name}: has no row for {missing.sum():,} of "
            f"{(cohort.split == TEST).sum():,} test decisions, the first of which is decision "
            f"{int(np.flatnonzero(missing)[0]) + 1:,} of the cohort; predict every decision whose "
            f"split is test. {_HINT}."
        )
    return np.array(list(seen), np.int64)
