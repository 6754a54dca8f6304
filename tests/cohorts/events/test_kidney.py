import datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from posology.cohorts.build import build_cohort
from posology.cohorts.events.kidney import add_kidney_events
from posology.cohorts.events.stream import sort_events
from posology.cohorts.patient import encode_patient
from posology.cohorts.storage.folder import build_folder
from posology.domain import safety
from posology.domain.formulas.kidney import CKD_EPI, COCKCROFT_GAULT, ckd_epi_2021
from posology.domain.history import latest_value
from tests.builders.two_drug_records import ZERO, event_table, study

KIDNEY = (
    'families = ["SEX", "LAB", "DRUG", "HARM", "NOTE"]',
    'families = ["SEX", "LAB", "DRUG", "HARM", "NOTE"]\n'
    'kidney = { creatinine = ["CREA"], unit = "umol/L", '
    'female = ["SEX//female"], weight = ["KG"] }',
)
SAFE = (
    "[profile]",
    '[[safety]]\noptions = ["b"]\nsource = "made up: not below 30"\n'
    'ranges = [{ codes = ["FORMULA//ckd_epi_2021"], at_most = 30.0 }]\n[profile]',
)
YEARS_50 = -50 * 365.25


def rows(subject: int, crea: float) -> list:
    return [
        (subject, None, "SEX//female", None),
        (subject, YEARS_50, "MEDS_BIRTH", None),
        (subject, -5, "CREA", crea),
        (subject, -3, "KG", 60.0),
        (subject, 0, "CREA", crea),
        (subject, 0, "REVIEW", None),
        (subject, 20, "LAB", 4.0),
        (subject, 0, "DRUG//A" if subject % 2 else "DRUG//B", 1.0),
    ]


def test_each_creatinine_has_both_results_at_its_own_time() -> None:
    found = add_kidney_events(sort_events(event_table(*rows(1, 88.42))), study(KIDNEY))
    told = [
        (found.codes[c], t)
        for c, t in zip(found.code, found.time, strict=True)
        if found.codes[c].startswith("FORMULA")
    ]
    days = [found.time[found.code == found.codes.index("CREA")][i] for i in (0, 1)]
    assert told == [(CKD_EPI, days[0]), (CKD_EPI, days[1]), (COCKCROFT_GAULT, days[1])]
    egfr = found.value[found.code == found.codes.index(CKD_EPI)]
    assert egfr == pytest.approx([68.6, 68.6], abs=0.2)
    assert (np.diff(found.time[1:]) >= 0).all()


@pytest.mark.parametrize(("day", "results"), [(-1, 0), (0, 1), (1, 1)])
def test_a_patient_is_an_adult_from_the_18th_birthday_on(day: int, results: int) -> None:
    birthday, birth = datetime.datetime(2010, 3, 1), datetime.datetime(1992, 3, 1)  # noqa: DTZ001
    assert (birthday - birth).days < 18 * 365.25
    born, at = (birth - ZERO).days, (birthday - ZERO).days + day
    events = event_table((1, born, "MEDS_BIRTH", None), (1, at, "CREA", 88.42))
    found = add_kidney_events(sort_events(events), study(KIDNEY))
    assert sum(found.codes[code] == CKD_EPI for code in found.code) == results


def test_without_an_age_or_the_study_key_no_event_is_added() -> None:
    young = [row for row in rows(1, 88.4) if row[2] != "MEDS_BIRTH"]
    found = add_kidney_events(sort_events(event_table(*young)), study(KIDNEY))
    assert not any(found.codes[c].startswith("FORMULA") for c in found.code)
    same = sort_events(event_table(*rows(1, 88.4)))
    assert add_kidney_events(same, study()) is same


def test_contraindications_use_kidney_function_of_training_and_new_patients(tmp_path) -> None:
    asked = study(KIDNEY, SAFE)
    events = event_table(*(row for s in range(1, 60) for row in rows(s, 60.0 + 8 * s)))
    cohort = build_cohort(events, asked)
    egfr = latest_value(cohort.history, cohort.last_step, cohort.profile.rows((CKD_EPI,)))
    crea = latest_value(cohort.history, cohort.last_step, cohort.profile.rows(("CREA",)))
    assert np.isnan(crea).all(), "the creatinine itself is no feature of this study"
    allowed = safety.allowed_treatments(asked, cohort.profile, cohort.history, cohort.last_step)
    assert allowed[:, 0].all()
    assert (allowed[:, 1] == (egfr > 30)).all()
    assert 0 < allowed[:, 1].sum() < len(allowed)
    pq.write_table(events, tmp_path / "events.parquet")
    folder = build_folder(asked, tmp_path / "events.parquet", tmp_path / "out")
    assert folder.profile.codes == cohort.profile.codes
    assert (np.asarray(folder.history.value) == cohort.history.value)[
        ~np.isnan(cohort.history.value)
    ].all()
    history, _ = encode_patient(event_table(*rows(99, 300.0)), asked, cohort.profile)
    last = history.step_offsets[1:2] - 1
    said = latest_value(history, last, cohort.profile.rows((CKD_EPI,)))
    right = ckd_epi_2021(np.array([300 / 88.42]), np.array([50.0]), np.array([True]))
    assert said == pytest.approx(right, rel=0.01)
