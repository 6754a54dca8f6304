"""The page on trials in CSV files: its mapping and study reproduce the raw arms to the digit."""

import csv
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from posology.causal.propensity import randomised_propensity
from posology.datasets import trials
from posology.evaluation.effects.overlap import assess_overlap
from posology.learners.effects.target_trial import build_study_trial
from posology.report.effects.content import RawData
from posology.workflows.cohorts import read_cohort
from posology.workflows.effect_arms import describe_raw_data
from posology.workflows.ingest import ingest

PAGE = (Path(__file__).parents[2] / "docs" / "trial-from-csv.md").read_text(encoding="utf-8")
MAPPING, STUDY = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
OPTIONS = re.findall(r'^title = "([^"]*)"\ncodes', STUDY, re.MULTILINE)


def raw_data(folder: Path) -> RawData:
    """Steps 1 to 4 of the page, and the raw part of step 5."""
    (folder / "trial.toml").write_text(MAPPING, encoding="utf-8")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    ingest({"table": folder / "trial.toml"}, folder / "events")
    cohort = read_cohort(folder / "study.toml", folder / "events")
    trial = build_study_trial(cohort, 20_000, np.random.default_rng(0))
    overlap = assess_overlap(trial.trial, randomised_propensity(trial.trial))
    return describe_raw_data(cohort, trial, overlap, comparator=0)


def assert_raw_data(raw: RawData, trial: trials.TrialData) -> None:
    """Shares, differences and means by hand from the trial's own arrays."""
    before = trial.covariates[:, trial.names.index("cd40")]
    good = trial.outcome - before >= 50
    arms = [trial.treatment == k for k in range(4)]
    assert raw.outcome is not None
    assert raw.number is not None
    assert [a.option for a in raw.outcome.arms] == OPTIONS
    assert [a.known for a in raw.outcome.arms] == [int(arm.sum()) for arm in arms]
    assert [a.total for a in raw.outcome.arms] == [good[arm].sum() for arm in arms]
    shares = [good[arm].mean() for arm in arms]
    differences = [d.value for d in raw.outcome.differences]
    assert differences == pytest.approx([s - shares[0] for s in shares], abs=1e-12)
    means = [(trial.outcome - before)[arm].mean() for arm in arms]
    assert [a.mean for a in raw.number.arms] == pytest.approx(means, rel=1e-7)
    age = next(row for row in raw.baseline if row.covariate == "age, years")
    ages = trial.covariates[:, trial.names.index("age")]
    assert [c.mean for c in age.cells] == pytest.approx([ages[arm].mean() for arm in arms])


def made_up_trial(patients: int) -> trials.TrialData:
    rng = np.random.default_rng(0)
    names = ("age", "karnof", "cd40")
    X = np.column_stack([rng.integers(20, 60, patients), rng.integers(7, 11, patients) * 10.0])
    cd4 = rng.integers(200, 500, patients).astype(np.float64)
    treatment = (np.arange(patients) % 4).astype(np.int64)
    outcome = np.round(cd4 + 40 + 20 * treatment + rng.normal(0, 60, patients))
    return trials.TrialData(np.column_stack([X, cd4]), names, treatment, tuple(OPTIONS), outcome)


def test_a_made_up_trial_keeps_its_raw_differences(tmp_path: Path) -> None:
    trial = made_up_trial(200)
    trials.write_csv(trial, tmp_path / "trial.csv")
    assert_raw_data(raw_data(tmp_path), trial)


@pytest.mark.skipif(find_spec("lifelines") is None, reason="lifelines holds the data")
def test_actg_175_keeps_its_raw_differences(tmp_path: Path) -> None:
    trial = trials.actg175()
    trials.write_csv(trial, tmp_path / "trial.csv")
    raw = raw_data(tmp_path)
    assert_raw_data(raw, trial)
    assert raw.outcome is not None
    for arm in raw.outcome.arms:
        assert f"{100 * arm.mean:.1f} % of {arm.known}" in PAGE.replace("\n", " ")


def test_times_to_an_event_are_written_with_their_events(tmp_path: Path) -> None:
    trial = made_up_trial(4)
    times = np.array([3.0, 4.5, 6.0, 7.0])
    event = np.array([True, False, True, False])
    timed = trials.TrialData(
        trial.covariates, trial.names, trial.treatment, trial.options, times * np.nan, times, event
    )
    trials.write_csv(timed, tmp_path / "trial.csv")
    with (tmp_path / "trial.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["days"] for row in rows] == ["3", "4.5", "6", "7"]
    assert [row["event"] for row in rows] == ["1", "", "1", ""]
    assert "outcome" not in rows[0]
