"""The truth about reasons in the virtual clinic, and how reasons are compared with it."""

import numpy as np
import pytest

from benchmarks.explanations import Case, Truth, agreement, hit_rates
from benchmarks.explanations_truth import TrueContributions, true_contributions
from posology.simulators.clinic.options import NAMES
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.simulation import simulate_patients
from posology.simulators.clinic.truth import effective_at_best_dose

SETTINGS = ClinicSettings(patients=40, seed=3)


@pytest.fixture(scope="module")
def found() -> TrueContributions:
    return true_contributions(SETTINGS, ("rs1801282", "rs6923761", "earlier su"))


def test_the_truth_is_that_of_the_decisions_in_the_records(found: TrueContributions) -> None:
    decisions = simulate_patients(SETTINGS, np.arange(40) + 1).decisions
    rows = [
        found.keys[int(s), int(m)]
        for s, m in zip(decisions.subject_id, decisions.minute, strict=True)
    ]
    assert sorted(rows) == list(range(len(found.effects)))
    expected = 100 * effective_at_best_dose(decisions.truth)
    np.testing.assert_allclose(found.effects[rows], expected)


@pytest.mark.parametrize(
    ("fact", "options"),
    [("rs1801282", {"tzd"}), ("rs6923761", {"glp1"}), ("earlier su", {"su"})],
)
def test_a_fact_changes_the_options_that_it_acts_on(
    found: TrueContributions, fact: str, options: set[str]
) -> None:
    change = np.abs(found.effects - found.without[fact]).max(axis=0)
    assert {name for name, size in zip(NAMES, change, strict=True) if size > 1e-9} == options


def case(reasons: tuple[int, ...], contribution: dict[int, float]) -> Case:
    return Case(0, (0, 1), 5.0, contribution, reasons)


def test_hits_are_counted_for_the_fact_that_separates_the_two_options() -> None:
    recorded = np.array([[50.0, 40.0]])
    # Fact 0 truly adds 6 to the difference; fact 1 raises both alike; facts 2 to 9 do nothing.
    without = {"a": np.array([[44.0, 40.0]]), "b": np.array([[40.0, 30.0]])}
    truth = Truth(recorded, without, {"a": (0,), "b": (1,)})
    known = dict.fromkeys(range(10), 1.0)
    right = hit_rates([case((0, 2, 3), known)], truth)
    assert (right["true_modifier"], right["largest_modifier"]) == (1.0, 1.0)
    assert right["true_modifier_random"] == pytest.approx(0.3)
    assert hit_rates([case((1, 2, 3), known)], truth)["true_modifier"] == 0.0


def test_agreement_is_of_direction_and_of_rank() -> None:
    one = case((0, 1, 2), {0: 5.0, 1: 4.0, 2: 3.0, 3: 0.1, 4: 0.1, 5: 0.1})
    other = case((), {0: 1.0, 1: -4.0, 2: 3.0, 3: 2.0, 4: 0.1, 5: 0.1})
    found = agreement([one], [other])
    assert found["direction"] == 1.0
    assert found["direction_of_three"] == pytest.approx(2 / 3)
    assert found["top"] == 0.0
    assert found["three"] == pytest.approx(2 / 3)
