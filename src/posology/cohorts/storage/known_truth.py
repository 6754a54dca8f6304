"""What a simulator knows and no record shows, joined for evaluation; never a feature."""

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
    """The cohort with the truth of its test split, and of no other: nobody can learn from it.

    folder: `truth/` of `posology simulate clinic`: columns `effective.OPTION.DOSE` and
    `probability.OPTION.DOSE`, the options named as in the study.
    """
    rows = cohort.split == TEST
    names, given = cohort.study.formulary.names, cohort.treatment[rows]
    asked = decided.subject_id[rows], decided.time[rows]
    effective = truth_by_option(folder, names, "effective", "max", asked)
    chosen = truth_by_option(folder, names, "probability", "sum", asked)
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
    asked: tuple[np.ndarray, np.ndarray],
) -> Float64[np.ndarray, "decision treatment"]:
    """A quantity of each option: its `max` or `sum` over doses, or `best`, at the dose that is
    most effective. asked: subject and time of each decision; NaN where the truth lacks it."""
    files = event_files(folder / "decisions" if (folder / "decisions").is_dir() else folder)
    table = pa.concat_tables([_columns(path, names, quantity, how) for path in files])
    row = _rows(table, asked, folder)
    out = np.full((len(asked[0]), len(names)), np.nan)
    for column, name in enumerate(names):
        values = _per_dose(table, quantity, name)
        if not values.shape[1]:
            raise RecordError(
                f"{folder}: holds no `{quantity}.{name}.*`; is it this study's truth?"
            )
        if how == "best":
            dose = _per_dose(table, "effective", name).argmax(axis=1)
            value = values[np.arange(len(values)), dose]
        else:
            value = values.max(axis=1) if how == "max" else values.sum(axis=1)
        out[row >= 0, column] = value[row[row >= 0]]
    return out


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


def _rows(table: pa.Table, asked: tuple[np.ndarray, np.ndarray], folder: Path) -> np.ndarray:
    """The truth's row of each decision, -1 where it has none."""
    micros = pc.cast(pc.cast(table["time"], pa.timestamp("us")), pa.int64()).to_numpy()
    subject = table["subject_id"].to_numpy()
    order = np.lexsort((micros, subject))
    known = np.rec.fromarrays([subject[order], micros[order]])
    wanted = np.rec.fromarrays(
        [asked[0].astype(np.int64), np.rint(asked[1] * _DAY).astype(np.int64)]
    )
    at = np.searchsorted(known, wanted)
    safe = np.minimum(at, len(known) - 1)
    found = known[safe] == wanted
    if not found.any():
        raise RecordError(f"{folder}: knows none of the {len(at)} decisions; is it of this clinic?")
    return np.where(found, order[safe], -1)
