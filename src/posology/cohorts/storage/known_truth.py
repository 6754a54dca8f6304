"""Join a simulator's ground truth for evaluation; it is never a feature."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float64

from posology.cohorts.decisions.decision_table import DecisionTable
from posology.cohorts.events.chunks import event_files
from posology.domain.cohort import TEST, Cohort
from posology.errors import RecordError

_DAY = 86_400e6


def join_truth(cohort: Cohort, decided: DecisionTable, folder: Path) -> Cohort:
    """The cohort with the ground truth of its test split only, so that it cannot be learned from.

    folder: `truth/` of `posology simulate clinic`: columns `effective.OPTION.DOSE` and
    `probability.OPTION.DOSE`, the options named as in the study.
    """
    rows = cohort.split == TEST
    names, given = cohort.study.formulary.names, cohort.treatment[rows]
    decisions = decided.subject_id[rows], decided.time[rows]
    effective = truth_by_option(folder, names, "effective", "max", decisions)
    chosen = truth_by_option(folder, names, "probability", "sum", decisions)
    known = ~np.isnan(effective).any(axis=1)
    best, rewards, logged = (
        cohort.best_treatment.copy(),
        cohort.potential_rewards.copy(),
        cohort.logged_probability.copy(),
    )
    best[rows] = np.where(known, np.nan_to_num(effective, nan=-1.0).argmax(axis=1), -1)
    rewards[rows] = effective
    logged[rows] = np.where(given >= 0, chosen[np.arange(len(given)), np.maximum(given, 0)], np.nan)
    return replace(
        cohort, best_treatment=best, potential_rewards=rewards, logged_probability=logged
    )


def truth_by_option(
    folder: Path,
    names: tuple[str, ...],
    quantity: str,
    how: str,
    decisions: tuple[np.ndarray, np.ndarray],
) -> Float64[np.ndarray, "decision treatment"]:
    """A quantity of each option: its `max` or `sum` over doses, or `best`: at the most effective
    dose. decisions: subject and time of each. NaN for decisions without a truth."""
    files = event_files(folder / "decisions" if (folder / "decisions").is_dir() else folder)
    table = pa.concat_tables([_columns(path, names, quantity, how) for path in files])
    row = _rows(table, decisions, folder)
    values_by_option = np.full((len(decisions[0]), len(names)), np.nan)
    for column, name in enumerate(names):
        values = _per_dose(table, quantity, name)
        if not values.shape[1]:
            raise RecordError(
                f"{folder}: has no column `{quantity}.{name}.*`; is it the truth of this study?"
            )
        if how == "best":
            dose = _per_dose(table, "effective", name).argmax(axis=1)
            value = values[np.arange(len(values)), dose]
        else:
            value = values.max(axis=1) if how == "max" else values.sum(axis=1)
        values_by_option[row >= 0, column] = value[row[row >= 0]]
    return values_by_option


def _columns(path: Path, names: tuple[str, ...], quantity: str, how: str) -> pa.Table:
    wanted = {quantity, "effective"} if how == "best" else {quantity}
    starts = tuple(f"{q}.{name}." for q in wanted for name in names)
    schema = pq.read_schema(path).names
    return pq.read_table(
        path, columns=["subject_id", "time", *(c for c in schema if c.startswith(starts))]
    )


def _per_dose(table: pa.Table, quantity: str, name: str) -> np.ndarray:
    columns = [c for c in table.column_names if c.startswith(f"{quantity}.{name}.")]
    if not columns:
        return np.empty((table.num_rows, 0))
    return np.stack([table[c].to_numpy().astype(np.float64) for c in columns], axis=1)


def _rows(table: pa.Table, decisions: tuple[np.ndarray, np.ndarray], folder: Path) -> np.ndarray:
    """Row of each decision in the truth; -1 if it has none."""
    micros = pc.cast(pc.cast(table["time"], pa.timestamp("us")), pa.int64()).to_numpy()
    subject = table["subject_id"].to_numpy()
    order = np.lexsort((micros, subject))
    known = np.rec.fromarrays([subject[order], micros[order]])
    wanted = np.rec.fromarrays(
        [decisions[0].astype(np.int64), np.rint(decisions[1] * _DAY).astype(np.int64)]
    )
    row = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    matches = known[row] == wanted
    if not matches.any():
        raise RecordError(
            f"{folder}: has none of the {len(row)} decisions; is it the truth of these records?"
        )
    return np.where(matches, order[row], -1)
