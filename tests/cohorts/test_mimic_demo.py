"""An ICU study on the MIMIC-IV demo (100 patients): a plumbing test, nothing is learned from it."""

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from posology.cohorts.storage.folder import BuildOptions, build_folder, dry_run
from posology.cohorts.study.reader import parse_study
from posology.domain.cohort import TEST, TRAIN, VALIDATION, select_split
from posology.domain.policy import allow_all_treatments

SHARED = Path(os.environ.get("POSOLOGY_SHARED", Path(__file__).parents[3] / "shared"))
EVENTS = SHARED / "data/records/mimic_iv_demo_meds/mimic_iv_demo_meds_events.parquet"

STUDY = """
format = 1
name = "icu"
title = "Norepinephrine within a day of admission to intensive care"
purpose = "A plumbing test of a sepsis-like question."
limits = "100 patients: no figure of it means anything."
[decision]
codes = ["ICU_ADMISSION"]
which = "every"
eligible = ["LAB//50912"]
look_back_days = 730
[[treatments]]
name = "norepinephrine"
title = "norepinephrine (221906)"
codes = ["INFUSION_START//221906"]
[[treatments]]
name = "none"
title = "none of it within a day"
otherwise = true
[given]
grace_days = 1
[outcome]
kind = "does_not_occur"
codes = ["MEDS_DEATH"]
unit = ""
within_days = 30
# MIMIC-IV knows deaths up to a year after discharge, so all are followed.
[follow_up]
until = 2250-01-01
[reward]
source = "alive after 30 days is 1"
[profile]
families = ["GENDER", "LAB", "MEDS_BIRTH", "INFUSION_START"]
minimum_patients = 10
resolution = [{ codes = ["LAB"], hours = 12 }]
[split]
train = 0.6
validation = 0.2
test = 0.2
salt = "icu"
"""


@pytest.mark.skipif(not EVENTS.exists(), reason=f"the MIMIC-IV demo is not at {EVENTS}")
def test_the_mimic_demo_runs_from_events_to_predictions(tmp_path: Path) -> None:
    from posology.learners.outcome_models.logistic import LogisticLearner

    raw = pq.read_table(EVENTS, columns=["subject_id", "time", "code", "value"])
    raw = raw.rename_columns(["subject_id", "time", "code", "numeric_value"])
    pq.write_table(raw, tmp_path / "events.parquet")
    study = parse_study(STUDY, "icu.toml")
    told = dry_run(study, tmp_path / "events.parquet")
    assert told["flow"]["subjects"] == 100
    assert told["flow"]["decision_points"] == 140
    cohort = build_folder(
        study, tmp_path / "events.parquet", tmp_path / "c", BuildOptions(rows_per_core=1_000_000)
    )
    assert len(cohort) == told["flow"]["decisions"] > 100
    assert cohort.outcome_observed.all()
    assert told["leaks"] == []
    assert len(cohort.history.code) < raw.num_rows / 2, "laboratory values are binned"
    train, validation, test = (select_split(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    policy = LogisticLearner().fit(train, validation)
    allowed = allow_all_treatments(test.last_step, policy.formulary)
    p = policy.choice_probabilities(test.history, test.last_step, allowed)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
