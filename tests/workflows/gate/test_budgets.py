"""A policy within harm budgets is chosen, saved with its findings, and judged by the gate."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.budgets_world import DAYS, VISITS, best_policy, draw_patients, draw_world, exact
from posology.domain.cohort import TRAIN, Cohort, select_split
from posology.domain.safety_rules.harm_budget import HarmBudget
from posology.evaluation.gate.advantage import require_budget
from posology.evaluation.off_policy.harm_budgets import BudgetFinding, describe_finding
from posology.learners.features.harms import excess_harm, first_prices, with_prices
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.offline_rl.tabular_policy import StateCodeLearner
from posology.workflows.gate.budgets import fit_within_budgets

HYPO = HarmBudget("severe hypoglycaemia", ("HYPO",), 0.06, "year", DAYS)
TINY = QNetworkSettings(
    hidden=16, members=1, epochs=4, batch=256, learning_rate=1e-2, lags=1, treatment_lags=0
)


def table(cohort: Cohort):
    train = select_split(cohort, TRAIN)
    return StateCodeLearner().fit(train, train)


def chosen(cohort: Cohort):
    train = select_split(cohort, TRAIN)
    usual = BehaviourCloning(TINY).fit(train, train)
    return fit_within_budgets(table, lambda policy: policy, cohort, usual, 0)


def test_the_best_policy_breaks_the_budget_and_the_chosen_one_holds_it():
    world = draw_world(3)
    cohort = draw_patients(world, 2_400, (HYPO,), np.random.default_rng(3))
    usual, free = exact(world, world.usual), exact(world, best_policy(world, np.zeros(2)))
    assert free[1][0] > 2 * HYPO.at_most
    found = chosen(cohort)
    assert found.protection.is_used
    value, harms = exact(world, found.chosen.table.probabilities[:8])
    assert harms[0] <= HYPO.at_most
    assert value > usual[0]
    (finding,) = found.findings
    assert finding.is_held
    assert finding.usual == pytest.approx(usual[1][0], abs=0.015)
    assert "held." in describe_finding(finding.to_json())


def test_a_budget_that_cannot_be_held_leaves_usual_care_and_says_so():
    world = draw_world(4)
    impossible = replace(HYPO, at_most=0.0005)
    found = chosen(draw_patients(world, 600, (impossible,), np.random.default_rng(4)))
    assert not found.protection.is_used
    assert found.protection.reason.startswith("no policy was shown to hold every harm budget")
    assert not found.findings[0].is_held


def test_prices_are_paid_for_harm_beyond_the_budget():
    cohort = draw_patients(draw_world(5), 200, (HYPO,), np.random.default_rng(5))
    priced = with_prices(cohort, np.array([2.0]))
    paid = cohort.reward - priced.reward
    np.testing.assert_allclose(paid, 2 * excess_harm(cohort)[:, 0], atol=1e-5)
    assert excess_harm(cohort).sum() == pytest.approx(
        cohort.harm.sum() - HYPO.at_most * 200 * VISITS / 2, rel=1e-3
    )
    assert first_prices(cohort)[0] > 0
    assert with_prices(cohort, np.zeros(1)) is cohort


def test_the_gate_fails_where_a_budget_is_not_shown_to_be_held():
    held = BudgetFinding("falls", 0.1, "year", 0.05, 0.09, 0.04)
    broken = replace(held, upper=0.12)
    unknown = replace(held, rate=0.05, upper=np.inf)
    assert require_budget(held).holds
    assert require_budget(held).name == "budget: falls"
    assert not require_budget(broken).holds
    assert "NOT shown to be held" in require_budget(broken).reason
    assert not require_budget(unknown).holds
    assert "not known" in require_budget(unknown).reason
