"""The content of an effect page with simulated patients."""

from dataclasses import replace

import numpy as np

from posology.evaluation.effects.effect_study import AnalysisPlan, analyse_effects
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.verdict import Unit
from posology.evaluation.table1.subgroups import Subgroup
from posology.report.effects.content import EffectContent
from tests.builders.known_effects import draw_nuisance
from tests.builders.small_cohorts import STUDY

COVARIATES = tuple("abcdefgh")


def effect_content(scenario: str = "rct") -> EffectContent:
    """600 patients of a scenario of `two_options`; one subgroup's name needs escaping."""
    n = 600
    nuisance, truth = draw_nuisance(scenario, n, 0)
    effect = truth.expected - truth.expected[:, [1]]
    best = truth.expected.argmax(axis=1)
    rule = HeldOutRule(np.arange(n) % 5, effect, best, np.ones(n, np.int64), 5)
    subgroups = [
        Subgroup("sex", "<female>", np.arange(n) < 300),
        Subgroup("sex", "male", np.arange(n) > 590),
    ]
    harms = {"bleeding": nuisance}
    plan = AnalysisPlan(COVARIATES, {}, subgroups, harms, [rule], Unit("points"), False)
    return EffectContent(
        study=replace(STUDY, purpose="To choose.", limits="Not for children."),
        results=analyse_effects(nuisance, rule, plan, np.random.default_rng(0)),
        evidence="600 patients.",
        covariates=COVARIATES,
        unit="points",
        is_binary=False,
        propensity_model="shares",
    )
