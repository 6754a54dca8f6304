"""A cohort as verbs are given one: its folder, or a study and events."""

from pathlib import Path

import pyarrow.parquet as pq

from posology.cohorts.build import build_cohort
from posology.cohorts.events.chunks import event_files
from posology.cohorts.storage.arrays import is_cohort, load_cohort
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import Cohort
from posology.errors import UserError
from posology.records.meds_dataset import read_codes


def read_cohort(study: str, events: Path | None) -> Cohort:
    """The cohort of a folder, or of a study and events."""
    if is_cohort(Path(study)):
        if events is not None:
            raise UserError(f"{study} is a cohort already; leave --events out.")
        return load_cohort(Path(study))
    if events is None:
        raise UserError("--events is missing: a study needs events, a cohort's folder does not.")
    if not events.exists():
        raise UserError(f"--events {events}: no such file or folder.")
    columns = ["subject_id", "time", "code", "numeric_value"]
    table = pq.read_table(event_files(events), columns=columns)
    return build_cohort(table, read_study(study), meanings=read_codes(events))
