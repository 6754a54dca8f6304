"""Each drift begins on its day and changes nothing before it; without drift nothing changes."""

from dataclasses import replace

import numpy as np
import pytest

from posology.simulators.clinic.drift import LABORATORY_SHIFT, NEW_OPTION, Drift
from posology.simulators.clinic.events import MINUTES, ROW
from posology.simulators.clinic.options import SGLT2
from posology.simulators.clinic.population import FIRST_DAY
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.simulation import SimulatedPatients, simulate_patients

DAY = FIRST_DAY + 3 * 365.0
STEADY = ClinicSettings(drift=Drift(is_steady=True))
WHO = np.arange(1, 801)


def simulated(**drift: float) -> SimulatedPatients:
    settings = replace(STEADY, drift=Drift(is_steady=True, **drift))
    return simulate_patients(settings, WHO)


@pytest.fixture(scope="module")
def steady() -> SimulatedPatients:
    return simulate_patients(STEADY, WHO)


def days(patients: SimulatedPatients) -> np.ndarray:
    return patients.decisions.minute / MINUTES


@pytest.mark.parametrize("name", ["guideline", "laboratory", "season"])
def test_nothing_changes_before_the_day(steady: SimulatedPatients, name: str) -> None:
    drifted = simulated(**{name: DAY})
    for log in ("minute", "value"):
        before = [
            getattr(p.events, log)[p.events.minute < (DAY - 60) * MINUTES]
            for p in (steady, drifted)
        ]
        np.testing.assert_array_equal(*before)


def test_the_guideline_moves_choices_after_its_day() -> None:
    drifted = simulated(guideline=DAY)
    is_sglt2, after = drifted.decisions.option == SGLT2, days(drifted) > DAY + 60
    assert is_sglt2[after].mean() > is_sglt2[~after].mean() + 0.15


def test_the_laboratory_reports_higher_and_goals_are_reached_less(
    steady: SimulatedPatients,
) -> None:
    drifted = simulated(laboratory=-np.inf)
    reports = [p.events.value[p.events.code == ROW["hba1c"]] for p in (steady, drifted)]
    first = [p.decisions.reported_hba1c[p.decisions.quarter == 0] for p in (steady, drifted)]
    assert first[1].mean() - first[0].mean() > 0.5 * LABORATORY_SHIFT
    assert reports[1].mean() > reports[0].mean() + 0.3 * LABORATORY_SHIFT


def test_a_new_drug_is_given_to_nobody_before_its_day() -> None:
    drifted = simulated(new_drug=DAY)
    given, day = drifted.decisions.option == NEW_OPTION, days(drifted)
    assert not given[day < DAY - 30].any()
    assert given[day > DAY + 30].any()
    chosen = drifted.decisions.choice_probability.sum(axis=(1, 2))
    np.testing.assert_allclose(chosen, 1.0)


def test_the_truth_counts_the_report_that_decides(steady: SimulatedPatients) -> None:
    """A recalibration between decision and outcome makes the goal harder to reach."""
    drifted = simulated(laboratory=DAY)
    between = (days(steady) > DAY - 90) & (days(steady) < DAY - 40)
    same = between[: len(steady.decisions.option)]
    old = steady.decisions.truth.effective[same]
    late = (days(drifted) > DAY - 90) & (days(drifted) < DAY - 40)
    assert np.nanmean(drifted.decisions.truth.effective[late]) < np.nanmean(old) - 0.05


def test_a_better_new_drug_is_truly_better_and_nothing_else_is(
    steady: SimulatedPatients,
) -> None:
    better = simulated(new_drug_fall=5.0)
    first = steady.decisions.quarter == 0
    falls = [p.decisions.truth.fall[p.decisions.quarter == 0] for p in (steady, better)]
    others = np.arange(falls[0].shape[1]) != NEW_OPTION
    np.testing.assert_array_equal(falls[0][:, others], falls[1][:, others])
    more = falls[1][:, NEW_OPTION, -1] - falls[0][:, NEW_OPTION, -1]
    assert first.sum() == len(more)
    assert 3 < more.mean() <= 5
