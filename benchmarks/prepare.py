"""Time to prepare a cohort as tensors, for as many patients as in PyHealth's figures."""

import time

import numpy as np
import pyarrow as pa
import torch

from posology.cohorts.build import build_cohort
from posology.cohorts.study.reader import parse_study
from posology.nn.batch import history_to_tensors
from posology.records.schema import EVENTS

PATIENTS, VISITS, ROWS = 10_000, 23_922, 654_000
STUDY = """
format = 1
name = "made_up"
title = "t"
purpose = "p"
limits = "l"
[decision]
codes = ["VISIT"]
which = "every"
[[treatments]]
name = "a"
title = "a"
codes = ["DRUG//0"]
[[treatments]]
name = "b"
title = "b"
codes = ["DRUG//1"]
[given]
grace_days = 1
[outcome]
kind = "value_in_range"
codes = ["LAB//0"]
unit = "x"
within_days = 200
range = { at_most = 0.0 }
[reward]
source = "made up"
[profile]
families = ["LAB", "DX", "DRUG"]
[split]
train = 0.7
validation = 0.15
test = 0.15
salt = "x"
"""


def measure_preparation() -> tuple[float, int]:
    """CPU-seconds from a table of events to tensors, and the number of decisions."""
    table, study = _events(), parse_study(STUDY, "made up")
    started = time.process_time()
    cohort = build_cohort(table, study)
    history_to_tensors(cohort.history, cohort.profile, torch.device("cpu"))
    return time.process_time() - started, len(cohort)


def _events() -> pa.Table:
    """A visit code, a drug and 25 of 1,000 other codes per visit; 3 in 10 of those have a value."""
    rng = np.random.default_rng(0)
    patient = np.sort(
        np.concatenate([np.arange(PATIENTS), rng.integers(0, PATIENTS, VISITS - PATIENTS)])
    )
    day = rng.uniform(0, 2000, VISITS)
    others = np.repeat(np.arange(VISITS), ROWS // VISITS - 2)
    visit = np.concatenate([np.arange(VISITS), np.arange(VISITS), others])
    code = np.concatenate(
        [
            np.full(VISITS, 1000),
            rng.integers(1001, 1003, VISITS),
            rng.integers(0, 1000, len(others)),
        ]
    )
    value = np.where(code < 300, rng.normal(size=len(code)), np.nan)
    order = np.lexsort((code, day[visit], patient[visit]))
    code, value, visit = code[order], value[order], visit[order]
    names = [f"LAB//{i}" for i in range(300)] + [f"DX//{i}" for i in range(700)]
    names += ["VISIT", "DRUG//0", "DRUG//1"]
    micros = (day[visit] * 86_400e6).astype(np.int64)
    return pa.table(
        {
            "subject_id": patient[visit],
            "time": pa.array(micros).cast(pa.timestamp("us")),
            "code": pa.array(names).take(pa.array(code)),
            "numeric_value": pa.array(value.astype(np.float32), mask=np.isnan(value)),
            "text_value": pa.nulls(len(code), pa.string()),
            "unit": pa.nulls(len(code), pa.string()),
        }
    ).cast(EVENTS)
