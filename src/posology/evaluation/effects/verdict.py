"""The verdict, first line of the report: does a personalised rule gain over one option for all.

The rule and the best single option are learned on training patients, the gain is estimated on
others, and the option that the verdict names is the one the gain is measured against. A gain is
stated only if its 95 % interval lies above 0, and only in patients who might have been given any of
the options that can be judged. An option for all is recommended only if it is shown to be better
than the reference: the study's control, or treatment as observed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.trial import Mask, Trial, option_name
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.judged_options import MIN_EFFECTIVE_SAMPLE_SIZE
from posology.evaluation.effects.overlap import Overlap, assess_overlap, count_patients
from posology.evaluation.effects.policy_values import (
    ChosenOption,
    ReferenceOption,
    estimate_gain,
    one_hot_probabilities,
    rule_effective_sample_size,
)
from posology.evaluation.effects.reference import (
    OBSERVED,
    Reference,
    ReferenceComparison,
    compare_with_reference,
    judged_reference,
    reference_name,
)
from posology.evaluation.effects.restricted_rule import (
    DifferentlyTreated,
    RestrictedRule,
    count_differently_treated,
    is_enough_against,
    restrict_rule,
)
from posology.evaluation.effects.shared_noise import gain_error_factor
from posology.evaluation.effects.verdict_sentence import (
    PLAIN,
    Unit,
    VerdictFacts,
    describe_gain,
    describe_loss,
    describe_no_gain,
    describe_options,
    describe_unjudged,
    missing_control_note,
    population_note,
    unjudged_note,
)
from posology.evaluation.intervals import Difference

GAIN, NO_GAIN, CANNOT_JUDGE = "gain", "none", "unjudged"


@dataclass(frozen=True, slots=True)
class Question:
    """What the verdict is about, besides the rule."""

    unit: Unit = PLAIN
    """Of the outcome, for the sentence."""
    reference: Reference = OBSERVED
    """What options and rules are compared with."""
    overlap: Overlap | None = None
    """Computed already, with the options that safety rules allow; None: from the propensities."""
    unrestricted: ChosenOption | None = None
    """The rule's choices among all options, if `chosen` are among those that can be judged."""
    refits: Sequence[HeldOutRule] | None = None
    """A cross-fitted rule learned again on other folds; None: it was learned from other data."""


ABOUT_USUAL_CARE = Question()
"""Compared with usual care, in the outcome's own unit."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The verdict and the estimates behind it."""

    kind: str
    """`gain`, `none` or `unjudged`."""
    headline: str
    """Its first sentence."""
    notes: tuple[str, ...]
    """Further sentences: for whom it holds, the reference, which options cannot be judged."""
    best_single_index: int
    """The option that the gain is measured against: the best single option of other patients.
    Where it differs between patients, the most frequent."""
    best_singles: str
    """Its name; where it differs, also the others with their shares of patients."""
    gain: Difference | None
    """Gain over the best single option in the analysis population; None if it is not stated."""
    overlap: Overlap
    reference: Reference
    """The study's control; treatment as observed if there is none or only others are judged."""
    reference_name: str
    against_reference: ReferenceComparison | None
    """Options and rule against the reference; None if no option can be judged."""
    differing: DifferentlyTreated
    """Patients whom the rule treats differently from the best single option."""
    rule: RestrictedRule
    """The rule and the best single option, restricted to the options that can be judged."""
    refits: tuple[RestrictedRule, ...] | None
    """The same, learned again on other folds; None of a rule learned from other data. Gains are
    means of the rule's and of these."""
    gain_error_factor: float = 1.0
    """Factor on the standard error of the gain, for noise that folds share (shared_noise.py)."""

    @property
    def runs(self) -> tuple[RestrictedRule, ...]:
        """The rule, and the rule learned again on other folds."""
        return (self.rule, *(self.refits or ()))

    @property
    def chosen_by_run(self) -> ChosenOption:
        """Each run's option at every decision."""
        return _by_run(self.runs)[0]

    @property
    def best_single_by_run(self) -> ChosenOption:
        """The best single option of other patients, for each run's folds."""
        return _by_run(self.runs)[1]

    @property
    def best_single(self) -> str:
        """Name of the option of `best_single_index`."""
        return self.overlap.options[self.best_single_index].name

    @property
    def single_reference(self) -> str:
        """What the gain is measured against, in a few words."""
        is_same = self.best_singles == self.best_single
        return f"{self.best_single} for all" if is_same else "the best single option"

    @property
    def sentence(self) -> str:
        """The headline and the notes."""
        notes = (note[:1].upper() + note[1:] for note in self.notes)
        return ". ".join((self.headline, *notes))

    @property
    def comparator(self) -> int:
        """Option that options are compared with: the control, else the best single option."""
        control = self.reference.option
        return self.best_single_index if control is None else control

    @property
    def comparator_name(self) -> str:
        """Its name."""
        return self.overlap.options[self.comparator].name


def decide_verdict(
    nuisance: Nuisance,
    chosen: ChosenOption,
    best_single: ReferenceOption,
    rng: np.random.Generator,
    question: Question = ABOUT_USUAL_CARE,
) -> Verdict:
    """Decide whether the rule gains, does not gain, or cannot be judged.

    Args:
        nuisance: of patients from whom the rule was not learned.
        chosen: the rule's option for each patient.
        best_single: the best single option of the training patients, which may differ by fold.
        question: unit, reference and, if it is known, the overlap.
    """
    trial, unit = nuisance.trial, question.unit
    overlap = question.overlap or assess_overlap(trial, nuisance.propensity)
    rule = restrict_rule(nuisance, chosen, best_single, overlap, question.unrestricted)
    refits = _restricted_refits(nuisance, question.refits, overlap)
    by_run, singles = _by_run((rule, *(refits or ())))
    shares = _single_shares(singles, trial.n_options, overlap)
    reference = judged_reference(question.reference, overlap.is_judged)
    best, population = int(shares.argmax()), overlap.population
    differing = count_differently_treated(nuisance, by_run, singles, population)
    unjudged = Verdict(
        kind=CANNOT_JUDGE,
        headline=f"cannot be judged: {describe_unjudged(overlap)}",
        notes=(),
        best_single_index=best,
        best_singles=option_name(trial, best) + _other_singles(trial, shares),
        gain=None,
        overlap=overlap,
        reference=reference,
        reference_name=reference_name(trial, reference),
        against_reference=None,
        differing=differing,
        rule=rule,
        refits=refits,
    )
    if not overlap.judged:
        return unjudged
    compared = compare_with_reference(nuisance, by_run, reference, overlap, rng, refits is not None)
    effective = _effective_sample_size(nuisance, by_run, population)
    notes = missing_control_note(question.reference.option, overlap)
    with_options = replace(unjudged, against_reference=compared, notes=notes)
    if effective < MIN_EFFECTIVE_SAMPLE_SIZE:
        return _unjudged_rule(with_options, compared, effective, unit)
    gain, factor = _gain(nuisance, unjudged, rng)
    facts = VerdictFacts(
        unit=unit,
        overlap=overlap,
        gain=gain,
        best_single=unjudged.best_singles,
        reference=reference_name(trial, reference),
        compared=compared,
        differing=differing,
        restricted=count_patients(trial, rule.restricted & population),
        is_reference_stated=is_enough_against(nuisance, by_run, reference.option, population),
    )
    return _judged_rule(replace(with_options, gain_error_factor=factor), facts)


def _restricted_refits(
    nuisance: Nuisance, refits: Sequence[HeldOutRule] | None, overlap: Overlap
) -> tuple[RestrictedRule, ...] | None:
    if refits is None:
        return None
    return tuple(
        restrict_rule(nuisance, refit.chosen, refit.best_single, overlap) for refit in refits
    )


def _by_run(runs: Sequence[RestrictedRule]) -> tuple[ChosenOption, ChosenOption]:
    """Each run's choices, and each run's best single option."""
    return np.stack([run.chosen for run in runs]), np.stack([run.best_single for run in runs])


def _effective_sample_size(nuisance: Nuisance, chosen: ChosenOption, population: Mask) -> float:
    probabilities = one_hot_probabilities(chosen, nuisance.trial.n_options)
    return rule_effective_sample_size(nuisance, probabilities, population)


def _gain(
    nuisance: Nuisance, verdict: Verdict, rng: np.random.Generator
) -> tuple[Difference, float]:
    """The gain over the best single option, and the factor on its standard error."""
    population, factor = verdict.overlap.population, 1.0
    if verdict.refits is not None:
        runs = [(run.chosen, run.best_single) for run in verdict.runs]
        factor = gain_error_factor(nuisance, runs, population)
    gain = estimate_gain(
        nuisance, verdict.chosen_by_run, verdict.best_single_by_run, rng, population, factor
    )
    return gain, factor


def _unjudged_rule(
    verdict: Verdict, compared: ReferenceComparison, effective: float, unit: Unit
) -> Verdict:
    """Options can be judged, the rule cannot."""
    option, notes = describe_options(verdict.reference_name, compared.contrasts, unit)
    return replace(
        verdict,
        headline=(
            "cannot be judged: the effective sample size of patients treated as the rule "
            f"recommends is {effective:,.0f}"
        ),
        notes=(
            *verdict.notes,
            *((f"without the rule: {option}",) if option else ()),
            *notes,
            *population_note(verdict.overlap),
            *unjudged_note(verdict.overlap),
        ),
    )


def _judged_rule(verdict: Verdict, facts: VerdictFacts) -> Verdict:
    """A gain is stated if enough would be treated differently, or none, so that it is 0."""
    is_stated = facts.differing.is_enough or not facts.differing.patients
    if facts.is_reference_stated and facts.compared.rule.high < 0:
        kind, (headline, notes) = NO_GAIN, describe_loss(facts)
    elif is_stated and facts.gain.low > 0:
        kind, (headline, notes) = GAIN, describe_gain(facts)
    else:
        kind, (headline, notes) = NO_GAIN, describe_no_gain(facts)
    gain = facts.gain if is_stated else None
    return replace(verdict, kind=kind, headline=headline, notes=(*verdict.notes, *notes), gain=gain)


def _single_shares(
    best_single: ChosenOption, options: int, overlap: Overlap
) -> Float64[np.ndarray, " treatment"]:
    """Share of the analysis population (of all, where it is empty) with each best single option."""
    rows = overlap.population if overlap.population.any() else ~overlap.population
    singles = np.atleast_2d(best_single)[:, rows].ravel()
    return np.bincount(singles, minlength=options) / len(singles)


def _other_singles(trial: Trial, shares: Float64[np.ndarray, " treatment"]) -> str:
    """The best single options other than the most frequent, in brackets, with their shares."""
    others = [k for k in np.flatnonzero(shares) if k != shares.argmax()]
    named = [f"{option_name(trial, int(k))} for {100 * shares[k]:.0f} %" for k in others]
    return f" ({', '.join(named)} of the patients)" if named else ""
