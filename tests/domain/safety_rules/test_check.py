"""Rules on facts that hold, do not hold, or are unknown; what they forbid and limit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posology.cohorts.build import build_cohort
from posology.cohorts.events.day_order import study_events
from posology.cohorts.events.visible import event_facts
from posology.cohorts.events.windows import DecisionTimes
from posology.domain.policy import Doses
from posology.domain.safety import allowed_in_cohort, limit_doses
from posology.domain.safety_rules.check import SafetyCheck, check_safety
from posology.domain.safety_rules.facts import CLEAR, MET, UNKNOWN
from posology.domain.study import Study
from tests.builders.safety_packs import DOSES, pack, rule, study_with
from tests.builders.two_drug_records import FIRST, Row, event_table


def check(study: Study, *rows: Row) -> SafetyCheck:
    """The rules at day 0 of subject 1, who has these events."""
    events = study_events(event_table((1, 0, "REVIEW", None), *rows), study)
    at = DecisionTimes(np.zeros(1, np.int64), np.array([float(FIRST)]))
    return check_safety(study, event_facts(events, np.zeros(len(events.code), np.int64), at, study))


def status(study: Study, *rows: Row) -> int:
    return int(check(study, *rows).status[0, 0])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (((1, -1, "EGFR", 25.0),), MET),
        (((1, -1, "EGFR", 30.0),), CLEAR),
        (((1, -5, "EGFR", 25.0), (1, -1, "EGFR", 40.0)), CLEAR),
        (((1, None, "EGFR", 25.0),), MET),
        ((), UNKNOWN),
        (((1, -400, "EGFR", 25.0),), UNKNOWN),
        (((1, 1, "EGFR", 25.0),), UNKNOWN),
        (((1, -1, "EGFR", None),), UNKNOWN),
    ],
)
def test_a_number_is_low_or_not_or_unknown(
    tmp_path: Path, rows: tuple[Row, ...], expected: int
) -> None:
    assert status(study_with(tmp_path, pack()), *rows) == expected


@pytest.mark.parametrize(("word", "forbids"), [("warn", False), ("block", True)])
def test_an_unknown_rule_forbids_only_where_the_study_blocks(
    tmp_path: Path, word: str, forbids: bool
) -> None:
    study = study_with(tmp_path, pack(), table=f'on_unknown = "{word}"')
    assert check(study).forbidden.tolist() == [[False, forbids]]
    assert check(study, (1, -1, "EGFR", 25.0)).forbidden.tolist() == [[False, True]]
    assert check(study, (1, -1, "EGFR", 35.0)).forbidden.tolist() == [[False, False]]


ALLERGY = rule(drugs=["drug A"], kind="allergy", any_of=[{"fact": "allergy to A"}])
EITHER = rule(any_of=[{"fact": "heart failure"}, {"fact": "kidney function", "below": 30}])
BOTH = rule(
    any_of=None, all_of=[{"fact": "heart failure"}, {"fact": "kidney function", "below": 30}]
)
EXCEPT = rule(unless=[{"fact": "heart failure"}])
OLD = rule(any_of=[{"fact": "age", "at_least": 65}])
TAKEN = rule(kind="interaction", any_of=[{"drug": "drug A", "within_days": 90}])
HF, LOW = (1, -9, "HF", None), (1, -9, "EGFR", 20.0)


@pytest.mark.parametrize(
    ("body", "rows", "expected"),
    [
        (ALLERGY, ((1, None, "ALLERGY//A", None),), MET),
        (ALLERGY, ((1, None, "ALLERGY//NONE", None),), CLEAR),
        (ALLERGY, (), UNKNOWN),
        (EITHER, (HF,), MET),
        (EITHER, (LOW,), MET),
        (EITHER, (), UNKNOWN),
        (BOTH, (HF, LOW), MET),
        (BOTH, (HF,), UNKNOWN),
        (BOTH, (), CLEAR),
        (EXCEPT, (LOW,), MET),
        (EXCEPT, (LOW, HF), CLEAR),
        (EXCEPT, (), UNKNOWN),
        (OLD, ((1, -24_000, "MEDS_BIRTH", None),), MET),
        (OLD, ((1, -23_000, "MEDS_BIRTH", None),), CLEAR),
        (OLD, (), UNKNOWN),
        (TAKEN, ((1, -30, "DRUG_PER_DAY//A", 5.0),), MET),
        (TAKEN, ((1, -30, "DRUG//A//given", 5.0),), MET),
        (TAKEN, ((1, -100, "DRUG//A", 5.0),), CLEAR),
        (TAKEN, ((1, -30, "DRUG//AB", 5.0),), CLEAR),
    ],
)
def test_conditions_combine(
    tmp_path: Path, body: dict[str, Any], rows: tuple[Row, ...], expected: int
) -> None:
    assert status(study_with(tmp_path, pack(body)), *rows) == expected


def test_what_the_decision_itself_gives_is_no_drug_taken(tmp_path: Path) -> None:
    assert status(study_with(tmp_path, pack(TAKEN)), (1, 0, "DRUG//A", 5.0)) == CLEAR


def test_the_drug_itself_is_no_duplicate_of_it(tmp_path: Path) -> None:
    same = rule(kind="duplicate", drugs=["another A"], any_of=[{"drug": "another A"}])
    study = study_with(tmp_path, pack(same))
    assert not check(study, (1, -5, "DRUG//A", 5.0)).forbidden.any(), "goes on with A"
    assert check(study, (1, -5, "DRUG//A2", 5.0)).forbidden.tolist() == [[True, False]]


LIMIT: dict[str, Any] = {"kind": "dose_limit", "effect": "limit"}
HALF = rule(**LIMIT, dose={"at_most": 5, "unit": "mg/d"})
TINY = rule(**LIMIT, name="b-tiny", dose={"at_most": 0.5, "unit": "mg/d"})
PER_KG = rule(**LIMIT, any_of=None, dose={"at_most": 0.1, "unit": "mg/d", "per": "weight"})


def test_a_limit_narrows_the_doses_or_leaves_none(tmp_path: Path) -> None:
    study = study_with(tmp_path, pack(HALF), changes=DOSES)
    limited = check(study, LOW)
    assert limited.limits[0].tolist() == [[-np.inf, np.inf], [-np.inf, 5.0]]
    assert not limited.forbidden.any()
    assert np.isinf(check(study).limits).all(), "an unknown eGFR limits nothing where it warns"
    blocked = study_with(tmp_path, pack(HALF), table='on_unknown = "block"', changes=DOSES)
    assert check(blocked).limits[0, 1, 1] == 5.0
    tiny = study_with(tmp_path, pack(HALF, TINY), changes=DOSES)
    assert check(tiny, LOW).forbidden.tolist() == [[False, True]], "no dose of B is left"


def test_a_limit_per_weight_needs_the_weight(tmp_path: Path) -> None:
    study = study_with(tmp_path, pack(PER_KG), changes=DOSES)
    known = check(study, (1, -3, "WEIGHT", 60.0))
    assert known.limits[0, 1, 1] == pytest.approx(6.0)
    unknown = check(study)
    assert unknown.status[0, 0] == UNKNOWN
    assert not unknown.forbidden.any()
    blocked = study_with(tmp_path, pack(PER_KG), table='on_unknown = "block"', changes=DOSES)
    assert check(blocked).forbidden.tolist() == [[False, True]], "no limit can be worked out"


def test_doses_of_a_policy_are_clipped_and_stay_unknown() -> None:
    limits = np.array([[[-np.inf, 5.0], [2.0, np.inf], [-np.inf, np.inf]]])
    doses = Doses(np.array([[9.0, 1.0, np.nan]]), np.array([[9.0, 1.0]]))
    allowed = np.array([[True, True, False]])
    limited = limit_doses(doses, limits, allowed)
    np.testing.assert_array_equal(limited.by_treatment, [[5.0, 2.0, np.nan]])
    assert limited.overall.tolist() == [[9.0, 1.0]], "the second option leaves any dose above 2"
    only = limit_doses(doses, limits, np.array([[True, False, False]]))
    assert only.overall.tolist() == [[5.0, 1.0]]


def test_a_cohort_knows_what_is_forbidden_by_facts_that_are_no_features(tmp_path: Path) -> None:
    study = study_with(tmp_path, pack(EITHER))
    rows: list[Row] = []
    for subject in range(1, 31):
        rows += [(subject, 0, "REVIEW", None), (subject, 0, "DRUG//A", None)]
        rows += [(subject, 0, "LAB", 7.0), (subject, 20, "LAB", 4.0), (subject, None, "SEX", None)]
        rows += [(subject, 60, "LAB", 4.0), (subject, 0, "DRUG//B", None)]
        rows += [(subject, -3, "HF", None)] if subject % 3 == 0 else []
    rows = [row for row in rows if not (row[2] == "DRUG//A" and row[0] % 2)]
    rows = [row for row in rows if not (row[2] == "DRUG//B" and not row[0] % 2)]
    cohort = build_cohort(event_table(*sorted(rows, key=lambda r: (r[0], r[1] or -9))), study)
    assert "HF" not in cohort.profile.codes
    subjects = cohort.history.subject_id[cohort.subject]
    np.testing.assert_array_equal(allowed_in_cohort(cohort)[:, 1], subjects % 3 != 0)
    assert allowed_in_cohort(cohort)[:, 0].all()
