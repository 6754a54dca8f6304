"""The weighted mean of what follow-up shows is the risk in those who were never lost."""

from dataclasses import replace

import numpy as np
import pytest

from posology.cohorts.build import build_cohort
from posology.domain.cohort import OUTCOME, TRAIN, Cohort
from posology.domain.study import PredictionTarget, Study
from posology.errors import UserError
from posology.workflows.fitting.known_outcomes import check_known_outcomes
from tests.builders.followed_worlds import draw_patients, followed_cohort
from tests.builders.two_drug_records import TEXT, event_table, study

RISK = 'kind = "does_not_occur"\ncodes = ["EVENT"]\nunit = ""\nwithin_days = 365\n'
DIAGNOSIS = '[[diagnosis]]\nname = "event"\ncodes = ["EVENT"]\nwithin_days = 365\n'


@pytest.mark.parametrize("leaving", ["none", "independent", "covariate", "arm"])
@pytest.mark.parametrize("death", [0.0, 0.4])
@pytest.mark.parametrize("competing_as", ["failure", "cause_specific"])
def test_label_means_are_those_of_nobody_lost(
    leaving: str, death: float, competing_as: str
) -> None:
    """Against the truth of the same patients, arm by arm, within 2.5 points."""
    patients = draw_patients(6_000, 1, leaving, death, 0.0)
    how = f'{RISK}competing_as = "{competing_as}"'
    cohort = followed_cohort(patients, how, DIAGNOSIS, 'weighted_by = ["NOTE"]')
    if competing_as == "failure":
        truth = np.minimum(patients.event, patients.death) > 365
    else:
        truth = patients.event > 365
    for arm in (0, 1):
        rows = patients.option == arm
        found = weighted_mean(cohort.effective, cohort.censoring_weight, rows)
        assert abs(found - truth[rows].mean()) < 0.025
        incidence = (patients.event <= 365) & (patients.event < patients.death)
        weight = None if cohort.diagnosis_weight is None else cohort.diagnosis_weight[:, 0]
        assert cohort.diagnosis is not None
        found = weighted_mean(cohort.diagnosis[:, 0], weight, rows)
        assert abs(found - incidence[rows].mean()) < 0.025


VALUE = """kind = "value_in_range"
codes = ["LAB"]
unit = "mmol/L"
from_days = 200
within_days = 365
range = { at_most = 5.0 }
unless = ["STOP"]"""


@pytest.mark.parametrize("leaving", ["none", "covariate", "arm"])
def test_a_number_that_was_not_measured_is_mended_like_one_that_was_not_followed(
    leaving: str,
) -> None:
    """Stopped early is known at once, a good number only when measured: labels alone are too bad.

    The truth is of everybody, measured or not: those with x have worse numbers, measured less.
    """
    patients = draw_patients(8_000, 2, leaving, 0.0, 0.4)
    cohort = followed_cohort(patients, VALUE, "", 'weighted_by = ["NOTE"]')
    day = np.random.default_rng(0).uniform(200, 365, 8_000)
    would = np.where(np.isfinite(patients.measured), patients.measured, day)
    truth = (patients.number <= 5) & (patients.stop > would)
    for arm in (0, 1):
        rows = patients.option == arm
        found = weighted_mean(cohort.effective, cohort.censoring_weight, rows)
        assert abs(found - truth[rows].mean()) < 0.025
        if leaving == "arm" and arm == 1:
            assert np.nanmean(cohort.effective[rows]) < truth[rows].mean() - 0.05


TIME = 'kind = "time_to_event"\ncodes = ["EVENT"]\nunit = "d"\nwithin_days = 365'


def test_time_to_event_labels_of_arms_that_are_alike_are_alike() -> None:
    """Of the arm that more patients leave, events are known and their absence is not."""
    patients = draw_patients(6_000, 3, "arm", 0.0, 0.0)
    cohort = followed_cohort(patients, TIME)
    found = [
        weighted_mean(cohort.effective, cohort.censoring_weight, patients.option == arm)
        for arm in (0, 1)
    ]
    truth = [float((patients.event[patients.option == arm] > 365).mean()) for arm in (0, 1)]
    np.testing.assert_allclose(found, truth, atol=0.025)
    labels = [np.nanmean(cohort.effective[patients.option == arm]) for arm in (0, 1)]
    assert labels[0] - labels[1] > 0.05, "the test can fail"


SHORT = 'kind = "occurs"\ncodes = ["STOP"]\nunit = ""\nwithin_days = 100'


@pytest.mark.parametrize("leaving", ["independent", "covariate"])
def test_costs_that_were_not_followed_are_unknown_and_weighted(leaving: str) -> None:
    """The outcome is known after 100 days, the cost of harms after a year; deaths end it."""
    patients = draw_patients(6_000, 4, leaving, 0.3, 0.2)
    cohort = followed_cohort(patients, SHORT, "", 'weighted_by = ["NOTE"]')
    assert cohort.cost is not None
    unknown = np.isnan(cohort.cost)
    known_to = np.minimum(patients.death, 365.0)
    np.testing.assert_array_equal(unknown, patients.leave < known_to)
    np.testing.assert_array_equal(np.isnan(cohort.reward), unknown | np.isnan(cohort.effective))
    good = (patients.stop <= 100) & (patients.stop < patients.death)
    harmed = (patients.event <= 365) & (patients.event < patients.death)
    truth = good - 2.0 * harmed
    everybody = np.ones(6_000, bool)
    found = weighted_mean(cohort.reward, cohort.reward_weight, everybody)
    assert abs(found - truth.mean()) < 0.05


def test_weights_are_kaplan_meiers_without_covariates() -> None:
    """The weighted share of events by inverse probability of staying is 1 - Kaplan-Meier, exactly
    (Satten and Datta 2001, doi:10.1198/000313001317098185), ties of days included."""
    patients = draw_patients(2_000, 5, "independent", 0.0, 0.0)
    whole = replace(patients, event=np.ceil(patients.event), leave=np.ceil(patients.leave))
    cohort = followed_cohort(whole, RISK)
    assert cohort.resolved_days is not None
    assert cohort.censoring_weight is not None
    for arm in (0, 1):
        rows = (whole.option == arm) & (cohort.split == TRAIN)
        days = cohort.resolved_days[rows]
        event = cohort.resolved_by[rows] == OUTCOME
        survival = 1.0
        for day in np.unique(days[event]):
            survival *= 1 - (event & (days == day)).sum() / (days >= day).sum()
        bad = (cohort.effective[rows] == 0) * cohort.censoring_weight[rows]
        assert bad.sum() / rows.sum() == pytest.approx(1 - survival, abs=2e-5)


def weighted_mean(value: np.ndarray, weight: np.ndarray | None, rows: np.ndarray) -> float:
    weight = np.ones(len(value)) if weight is None else weight
    return float(np.average(np.nan_to_num(value[rows].astype(float)), weights=weight[rows]))


def five_years(size: int, seed: int, of: Study) -> Cohort:
    """A review every half-year for five years, then the records end; some leave before.

    A tenth has the event in any year: neither more nor less towards the end.
    """
    rng = np.random.default_rng(seed)
    day, years = np.arange(0.0, 1826, 182), 5 * 365.25
    leave = np.minimum(rng.exponential(1 / 0.1, size) * 365, years - rng.uniform(0, 90, size))
    rows = [(1, 20.0, "LAB", 4.0)]
    for person in range(size):
        rows += [(person + 1, d, "REVIEW", None) for d in day if d < leave[person]]
        drug = f"DRUG//{'AB'[person % 2]}"
        rows += [(person + 1, d, drug, None) for d in day if d < leave[person]]
        rows += [(person + 1, float(leave[person]), "OBSERVATION_PERIOD//END", None)]
        at = np.cumsum(rng.exponential(365 / -np.log(0.9), 12))
        rows += [(person + 1, float(d), "EVENT", None) for d in at if d < leave[person]]
    return build_cohort(event_table(*rows), of)


def test_a_window_that_hardly_anybody_reaches_is_warned_of() -> None:
    """A window of four years and a half: only the first decisions could be followed to its end."""
    long = replace(TARGET, within_days=1_640.0)
    cohort = five_years(300, 2, replace(study(), diagnosis=(long,)))
    (warning,) = [text for text in cohort.warnings if text.startswith("event: ")]
    assert (
        "count for nothing. So late in the records hardly anybody was followed for 1640" in warning
    )
    assert "shorten `within_days`" in warning
    short = five_years(300, 2, replace(study(), diagnosis=(replace(TARGET, within_days=30.0),)))
    assert not [text for text in short.warnings if "count for nothing" in text]


def test_nothing_is_learned_where_nobody_reaches_the_end() -> None:
    start, stop = TEXT.index("[outcome]"), TEXT.index("[reward]")
    of = study((TEXT[start:stop], f"[outcome]\n{RISK.replace('365', '2000')}\n"))
    with pytest.raises(UserError, match=r"too short for \[outcome\] within_days = 2000\."):
        check_known_outcomes(five_years(100, 3, of))


TARGET = PredictionTarget("event", ("EVENT",), 365.0)


@pytest.mark.parametrize("is_outcome", [False, True])
def test_events_in_a_last_year_that_cannot_be_followed_count_for_nothing(is_outcome: bool) -> None:
    """Of the last year only events are known: their weights are 0, so that lateness tells nothing.

    Before, the weighted risk of the last year was 1 where it is 0.1, and trees learned lateness.
    """
    if is_outcome:
        start, stop = TEXT.index("[outcome]"), TEXT.index("[reward]")
        of = study((TEXT[start:stop], f"[outcome]\n{RISK}\n"))
        cohort = five_years(1_500, 1, of)
        event, weight = 1 - cohort.effective, cohort.censoring_weight
    else:
        cohort = five_years(1_500, 1, replace(study(), diagnosis=(TARGET,)))
        assert cohort.diagnosis is not None
        assert cohort.diagnosis_weight is not None
        event, weight = cohort.diagnosis[:, 0], cohort.diagnosis_weight[:, 0]
    assert weight is not None
    first = np.full(len(cohort.history.subject_id), np.inf)
    np.minimum.at(first, cohort.subject, cohort.time)
    since = cohort.time - first[cohort.subject]
    last = since > 1_500
    assert np.nanmean(event[last]) == 1.0, "the test can fail"
    assert (~np.isnan(event[last])).sum() > 20
    assert not weight[last].any()
    for low in range(0, 1_250, 182):
        rows = (since >= low) & (since < low + 182)
        assert abs(weighted_mean(event, weight, rows) - 0.1) < 0.03
        assert weight[rows].sum() == pytest.approx(rows.sum(), rel=0.03)
