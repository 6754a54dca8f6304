"""Two drugs whose effects change on a day: what was learned before is not best after it."""

import numpy as np
import pyarrow as pa

from posology.domain.study import Study
from posology.records.schema import EVENTS
from tests.builders.two_drug_records import ZERO, study

CHANGE = 1000
"""Day of the change."""


def changing_study() -> Study:
    """One decision a patient; the outcome is a laboratory value at most 5."""
    once = ('which = "every"', 'which = "first"')
    groups = ('salt = "diary"', 'salt = "diary"\n[subgroups]\nsex = ["SEX"]')
    return study(once, groups)


def drifting_events(patients: int, days: int, seed: int) -> pa.Table:
    """Outcomes get worse from day to day while drug B comes into use; neither drug is better."""
    rng = np.random.default_rng(seed)
    rows = []
    for subject in range(1, patients + 1):
        day = int(rng.integers(days))
        gets_b = bool(rng.random() < 0.1 + 0.8 * day / days)
        after = 4.0 if rng.random() < 0.8 - 0.6 * day / days else 6.0
        rows += [
            (subject, None, "SEX//male" if rng.random() < 0.5 else "SEX//female", None),
            (subject, day - 5, "LAB", float(rng.normal(6, 1))),
            (subject, day, "REVIEW", None),
            (subject, day, "DRUG//B" if gets_b else "DRUG//A", None),
            (subject, day + 20, "LAB", after),
            (subject, day + 60, "NOTE", None),
        ]
    return _table(rows)


def changing_events(first: int, patients: int, days: tuple[int, int], seed: int) -> pa.Table:
    """Patients with the ids from `first` on, who come between the days.

    Drug A is better for all before CHANGE (70 % against 50 %); after it for women only, and B for
    men (80 % against 40 %). Which one is given hardly depends on the patient.
    """
    rng = np.random.default_rng([seed, first])
    rows = []
    for number in range(patients):
        subject, day = first + number, int(rng.integers(*days))
        is_male = bool(rng.random() < 0.5)
        gets_a = bool(rng.random() < (0.6 if is_male else 0.4))
        good = 0.7 if gets_a else 0.5
        if day >= CHANGE and is_male:
            good = 0.4 if gets_a else 0.8
        after = 4.0 if rng.random() < good else 6.0
        rows += [
            (subject, None, "SEX//male" if is_male else "SEX//female", None),
            (subject, day - 5, "LAB", float(rng.normal(6, 1))),
            (subject, day, "REVIEW", None),
            (subject, day, "DRUG//A" if gets_a else "DRUG//B", None),
            (subject, day + 20, "LAB", after),
            (subject, day + 60, "NOTE", None),
        ]
    return _table(rows)


def _table(rows: list[tuple[int, int | None, str, float | None]]) -> pa.Table:
    zero = np.datetime64(ZERO, "us")
    subject, day, code, value = zip(*rows, strict=True)
    time = [None if d is None else zero + np.timedelta64(d, "D") for d in day]
    columns = {"subject_id": subject, "time": time, "code": code, "numeric_value": value}
    columns |= {"text_value": [None] * len(rows), "unit": [None] * len(rows)}
    return pa.Table.from_pydict(columns, schema=EVENTS)
