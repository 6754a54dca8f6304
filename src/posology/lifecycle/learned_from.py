"""From which patients a policy learned: what an update must know to judge on others."""

import datetime
import hashlib
from typing import Any

import numpy as np

from posology.domain.cohort import TEST, Cohort

EVIDENCE = "learned_from"
"""Key in a saved policy's evidence."""
_DAY = 86_400.0


def describe_learning(cohort: Cohort) -> dict[str, Any]:
    """Patients, decisions, the time of the last decision, and a hash of what was learned from.

    Of the training and validation splits; `until` is None where decisions have no time.
    """
    rows = np.flatnonzero(cohort.split != TEST)
    time = None if cohort.time is None else cohort.time[rows]
    known = time is not None and len(time) > 0 and not np.isnan(time).all()
    return {
        "patients": len(np.unique(cohort.subject[rows])),
        "decisions": len(rows),
        "until": day_text(float(np.nanmax(time))) if time is not None and known else None,
        "data": _data_hash(cohort, rows),
    }


def day_text(days: float) -> str:
    """A time in days since 1970-01-01, as ISO 8601 in UTC."""
    return datetime.datetime.fromtimestamp(days * _DAY, datetime.UTC).isoformat()


def to_days(text: str) -> float:
    """The days since 1970-01-01 of such a text."""
    return datetime.datetime.fromisoformat(text).timestamp() / _DAY


def _data_hash(cohort: Cohort, rows: np.ndarray) -> str:
    """SHA-256 over who decided what when, and what came of it; the same data, the same hash."""
    found = hashlib.sha256()
    columns = [cohort.history.subject_id[cohort.subject[rows]], cohort.treatment[rows]]
    columns += [cohort.dose[rows], cohort.outcome[rows], cohort.effective[rows]]
    columns += [] if cohort.time is None else [cohort.time[rows]]
    for column in columns:
        found.update(np.ascontiguousarray(column).tobytes())
    return found.hexdigest()
