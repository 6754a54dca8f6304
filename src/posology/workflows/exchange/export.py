"""Write a cohort for other libraries: a table, episodes, labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from posology.domain.cohort import Cohort
from posology.errors import UserError
from posology.records.io.drafts import draft_file
from posology.workflows.exchange.decisions import to_frame
from posology.workflows.exchange.episodes import to_logged_episodes, write_episodes
from posology.workflows.exchange.meds_labels import write_meds_labels
from posology.workflows.results import Row, rows_to_table

_NEED = "name at least one of --table, --episodes and --labels"


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What was written, and how much."""

    rows: list[Row]
    """Path, content and number of rows of each file."""

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """One line a file."""
        return "\n".join(f"{row['path']}: {row['content']}" for row in self.rows)


def export(
    cohort: Cohort,
    table: str | Path | None = None,
    episodes: str | Path | None = None,
    labels: str | Path | None = None,
) -> ExportResult:
    """Write a cohort's decisions for other libraries.

    Args:
        cohort: all splits; each file says which split a decision is of.
        table: one row a decision, with the facts, the treatment and the outcome; .csv or .parquet.
        episodes: arrays for offline reinforcement learning; .npz.
        labels: a new folder of MEDS label files, one a task.
    """
    if table is None and episodes is None and labels is None:
        raise UserError(f"posology export: {_NEED}.")
    _check_ending(table, "--table", (".csv", ".parquet"))
    _check_ending(episodes, "--episodes", (".npz",))
    rows: list[Row] = []
    if table is not None:
        frame = to_frame(cohort)
        _write_table(frame, Path(table))
        content = f"{len(frame):,} decisions, {len(frame.column_names)} columns"
        rows.append({"path": str(table), "content": content, "n": len(frame)})
    if episodes is not None:
        logged = to_logged_episodes(cohort)
        write_episodes(logged, Path(episodes))
        count, steps = len(logged.trajectories), len(logged.trajectories.treatment)
        left_out = len(np.unique(cohort.subject)) - len(np.unique(logged.subject_id))
        content = f"{count:,} episodes, {steps:,} decisions"
        if left_out:
            content += f"; {left_out:,} patients without a first known option and reward left out"
        rows.append({"path": str(episodes), "content": content, "n": steps})
    if labels is not None:
        for task, count in write_meds_labels(cohort, Path(labels)).items():
            place = str(Path(labels) / f"{task}.parquet")
            rows.append({"path": place, "content": f"{count:,} labels", "n": count})
    return ExportResult(rows)


def _check_ending(path: str | Path | None, option: str, endings: tuple[str, ...]) -> None:
    if path is not None and Path(path).suffix.lower() not in endings:
        raise UserError(f"{option} {path}: its name must end in {' or '.join(endings)}.")


def _write_table(frame: pa.Table, path: Path) -> None:
    with draft_file(path) as draft:
        if path.suffix.lower() == ".csv":
            pyarrow.csv.write_csv(frame, draft)
        else:
            pq.write_table(frame, draft)
