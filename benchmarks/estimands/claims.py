"""What the product says of effects, values, harms and a rule, held against what is true."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from benchmarks.estimands.truth import Truth
from benchmarks.estimands.worlds import World
from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.nested_nuisance import NestedNuisance, fit_nested_nuisance
from posology.causal.trial import Mask, Matrix, assign_folds
from posology.domain.cohort import Cohort
from posology.evaluation.effects.effect_study import EffectStudy, analyse_effects
from posology.evaluation.effects.held_out_rule import EvaluatedRule
from posology.evaluation.effects.overlap import Overlap
from posology.evaluation.effects.policy_values import (
    AverageEffect,
    Comparators,
    estimate_average_effects,
    estimate_rule_values,
    gain_per_patient,
)
from posology.evaluation.effects.reference import OBSERVED, compare_with_reference
from posology.evaluation.effects.subgroup_gain import estimate_subgroup_gain
from posology.evaluation.effects.verdict import GAIN
from posology.evaluation.intervals import Difference, Interval
from posology.learners.effects.cross_fitting import estimate_held_out_effects
from posology.learners.effects.target_trial import StudyTrial
from posology.workflows.effect_study import (
    allowed_and_judged,
    estimate_harms,
    held_out_rule,
    plan_analysis,
)
from posology.workflows.progress import no_progress

Found = dict[str, float]
FAMILY, OTHERS = "x2", "not recorded or rare"
"""Family of the subgroup that is held against its truth, and the name of everybody else."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One draw: what the product made of it, and what is true of the same decisions."""

    world: World
    truth: Truth
    cohort: Cohort
    trial: StudyTrial
    nuisance: Nuisance
    overlap: Overlap
    expected: Matrix
    """True expected outcome of each of the trial's decisions under each option."""

    @property
    def population(self) -> Mask:
        """The product's analysis population."""
        return self.overlap.population

    @property
    def judged(self) -> tuple[int, ...]:
        """The options that the product compares."""
        return self.overlap.judged

    def values(self) -> np.ndarray:
        """True values of the options in the analysis population.

        They are those of everybody, but for the share outside it, whose part is taken from the
        drawn patients.
        """
        everybody = np.array([self.truth.value[k] for k in range(self.world.options)])
        return everybody + self._left_out(self.population, np.ones(len(self.expected), dtype=bool))

    def values_of(self, group: Mask) -> np.ndarray:
        """The same of the subgroup."""
        values = np.array([self.truth.group[k] for k in range(self.world.options)])
        return values + self._left_out(self.population & group, group)

    def _left_out(self, kept: Mask, everyone: Mask) -> np.ndarray:
        return self.expected[kept].mean(axis=0) - self.expected[everyone].mean(axis=0)


def covers(span: Interval | Difference, truth: float) -> float:
    """Whether an interval holds the truth."""
    return float(span.low - 1e-12 <= truth <= span.high + 1e-12)


def average_claims(here: Drawn, rng: np.random.Generator) -> Found:
    """Values of single options and of usual care, and effects against both."""
    values, judged, observed = here.values(), here.judged, here.trial.trial.outcome
    first, population = judged[0], here.population
    effects = estimate_average_effects(here.nuisance, first, rng, population, options=list(judged))
    found = _effect_claims("effect", judged[1:], effects, values - values[first], here.world)
    comparators = Comparators(first, observed, judged)
    *rows, usual = estimate_rule_values(here.nuisance, {}, comparators, rng, population)
    for k, row in zip(judged, rows, strict=True):
        found[f"estimate|value|{k}"] = float(row.value.value - values[k])
    found["covers|value"] = _share(
        [covers(row.value, float(values[k])) for k, row in zip(judged, rows, strict=True)]
    )
    care = here.truth.usual_care + _care(here)
    found["estimate|usual care|all"] = float(usual.value.value - care)
    found["covers|usual care"] = covers(usual.value, care)
    everybody = np.full(len(here.expected), first)
    compared = compare_with_reference(here.nuisance, everybody, OBSERVED, here.overlap, rng)
    against = [covers(c.effect, float(values[c.index] - care)) for c in compared.contrasts]
    found["covers|against usual care"] = min(against)
    if here.world.effect == "null":
        found["errs|options differ"] = float(compared.options_differ)
        shown = [c.effect.low > 0 or c.effect.high < 0 for c in compared.contrasts]
        found["errs|against usual care"] = float(any(shown))
    return found | _group_claims(here, rng)


def _care(here: Drawn) -> float:
    """How the mean outcome of usual care in the analysis population differs from everybody's."""
    own = here.expected[np.arange(len(here.expected)), here.trial.trial.treatment]
    return float(own[here.population].mean() - own.mean())


def _effect_claims(
    what: str,
    options: Sequence[int],
    effects: Sequence[AverageEffect],
    true: np.ndarray,
    world: World,
) -> Found:
    """Intervals hold the truth all at once, and no p value is below .05, which they promise."""
    pairs = list(zip(options, effects, strict=True))
    found = {f"estimate|{what}|{k}": float(row.effect.value - true[k]) for k, row in pairs}
    found[f"covers|{what}"] = min(covers(row.effect, float(true[k])) for k, row in pairs)
    if world.effect == "null":
        found[f"errs|{what}"] = float(any(row.effect.p < 0.05 for _, row in pairs))
    return found


def _group_claims(here: Drawn, rng: np.random.Generator) -> Found:
    """Effects in a subgroup; no rule is needed for them."""
    n, first = len(here.expected), here.judged[0]
    single = np.full(n, first)
    rule = EvaluatedRule(np.zeros((n, here.world.options)), single, single, first, here.judged)
    for group in plan_analysis(here.cohort, here.trial, here.overlap).subgroups:
        if group.family == FAMILY and group.name != OTHERS:
            said = estimate_subgroup_gain(here.nuisance, rule, group, here.population, rng)
            values = here.values_of(group.mask)
            pairs = zip(here.judged[1:], said.benefits, strict=True)
            each = [covers(row.observed, float(values[k] - values[first])) for k, row in pairs]
            return {"covers|effect in a group": _share(each)}
    return {}


def harm_claims(here: Drawn, rng: np.random.Generator) -> Found:
    """Effects on the harm."""
    true = np.array([here.truth.harm[k] for k in range(here.world.options)])
    first, found = here.judged[0], {}
    harms, _ = estimate_harms(here.cohort, here.trial, here.nuisance, no_progress)
    for nuisance in harms.values():
        effects = estimate_average_effects(
            nuisance, first, rng, here.population, options=list(here.judged)
        )
        found |= _effect_claims("harm", here.judged[1:], effects, true - true[first], here.world)
    return found


def rule_claims(
    here: Drawn,
    nested: NestedNuisance,
    allowed: Bool[np.ndarray, "decision treatment"],
    rng: np.random.Generator,
) -> Found:
    """What is said of a rule that is learned from the same patients, as `posology effect` does."""
    trial, judged = here.trial.trial, allowed_and_judged(allowed, here.overlap)
    again = fit_nested_nuisance(trial, assign_folds(trial, rng))
    runs = [estimate_held_out_effects(each, judged, here.population) for each in (nested, again)]
    learned, rules = runs[0], [held_out_rule(run) for run in runs]
    plan = plan_analysis(here.cohort, here.trial, here.overlap)
    plan = replace(plan, refitted_rules=rules[1:])
    said = analyse_effects(here.nuisance, rules[0], plan, rng)
    found = _gain_claims(here, said)
    if here.world.effect == "null":
        found["errs|heterogeneity"] = float(said.heterogeneity.p < 0.05)
        found["errs|gate"] = learned.personal_folds / 5
    return found


def _gain_claims(here: Drawn, said: EffectStudy) -> Found:
    """The gain is held against that of the patients judged: what they would gain, as they are."""
    verdict = said.verdict
    found = {"gains": float(verdict.kind == GAIN)}
    if verdict.gain is not None:
        chosen, single = verdict.chosen_by_run, verdict.best_single_by_run
        gained = gain_per_patient(here.expected, chosen, single)[here.population]
        found["estimate|gain|rule"] = verdict.gain.value - float(gained.mean())
        found["covers|gain"] = covers(verdict.gain, float(gained.mean()))
        found["treated differently"] = float((chosen != single)[:, here.population].mean())
    return found


def _share(each: list[float]) -> float:
    return float(np.mean(each))
