"""What an effect study gives out: every figure as a row, and the content of its page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import posology
from posology.domain.cohort import Cohort
from posology.evaluation.effects.abstention import Abstention
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.number_needed import NumberNeeded
from posology.evaluation.effects.option_effects import ConfounderStrength
from posology.evaluation.effects.overlap import Counts, compare_excluded
from posology.evaluation.intervals import Difference, Interval
from posology.learners.effects.target_trial import StudyTrial
from posology.report.effects.content import EffectContent, RawData
from posology.report.effects.terminal import unadjusted_difference
from posology.workflows.effect_arms import (
    describe_estimand,
    describe_flow,
    describe_raw_data,
)
from posology.workflows.results import Row, finite_or_none, format_now

_CODE_IN_BRACKETS = re.compile(r" \([A-Z_]+//\w+\)")
"""Codes that warnings name for those who write study files; readers of the page need none."""
_RANDOMISED = "Treatment was randomised, as the study file says."
_OBSERVED = "These are records of routine care: no patient was randomised."
_TRAJECTORIES = (
    " Patients have several decisions: each is evaluated by its own outcome, so these figures do "
    "not include what a trajectory of decisions is worth to its end."
)


def effect_rows(study: str, estimates: EffectStudy, raw: RawData) -> list[Row]:
    """The verdict first, then every figure.

    `n` and `patients` of a row count the decisions and patients that its figure rests on.
    """
    overlap = estimates.verdict.overlap
    into = _Rows(study, overlap.included, [])
    everyone = replace(into, counts=overlap.total)
    everyone.add("posology", "verdict", float("nan"))
    into.rows[0] |= {"said": estimates.verdict.sentence, "kind": estimates.verdict.kind}
    everyone.add("posology", "outside", overlap.excluded_share)
    _values(estimates, into)
    _groups(estimates, into)
    _options(estimates, raw, into)
    if estimates.rule_confounder_strength is not None:
        for metric, value in _strength(estimates.rule_confounder_strength).items():
            into.add("posology", f"rule_{metric}", value)
    into.add("posology", "heterogeneity_slope", estimates.heterogeneity.slope)
    into.add("posology", "heterogeneity_error", estimates.heterogeneity.standard_error)
    into.add("posology", "heterogeneity_p", estimates.heterogeneity.p)
    for c in estimates.contrasts:
        into.add(c.option, "autoc", c.ranking.autoc)
        into.add(c.option, "qini", c.ranking.qini)
        into.add(c.option, "calibration_slope", c.calibration.slope)
        into.add(c.option, "calibration_level", c.calibration.calibration_in_the_large)
        into.add(c.option, "calibration_shape_p", c.calibration.p)
        into.add(c.option, "c_for_benefit", c.c_for_benefit)
        for point in c.decision_curve:
            into.add(c.option, f"net_benefit_{point.threshold:.3g}", point.model)
    if estimates.abstention is not None:
        _single_patients(estimates.abstention, into)
    for harm in estimates.harms:
        into.add("posology", f"harm {harm.rule.outcome}", harm.rule.difference)
        for e in harm.options:
            into.add(e.option, f"harm {harm.rule.outcome}", e.effect)
    for outcome, reason in estimates.not_estimable:
        into.add("posology", f"harm {outcome}", float("nan"))
        into.rows[-1] |= {"not_estimable": reason}
    return into.rows


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows, one a figure, of one study."""

    study: str
    counts: Counts
    """Decisions and patients that the figures rest on."""
    rows: list[Row]

    def add(
        self, model: str, metric: str, value: float | Difference | Interval | NumberNeeded
    ) -> None:
        nan = float("nan")
        one = Interval(value, nan, nan) if isinstance(value, float) else value
        named = {"study": self.study, "model": model, "split": "held out", "metric": metric}
        figures = {k: finite_or_none(getattr(one, k)) for k in ("value", "low", "high")}
        counts = {"n": self.counts.decisions, "patients": self.counts.patients}
        p = {"p": finite_or_none(one.p)} if isinstance(one, Difference) else {}
        self.rows.append({**named, **figures, **counts, **p})


def _single_patients(abstention: Abstention, into: _Rows) -> None:
    for o in abstention.options:
        into.add(o.option, "surely_better", o.better_share)
        into.add(o.option, "surely_worse", o.worse_share)
        into.add(o.option, "width_of_one", o.median_width)
    named = [(f"{round(100 * p.abstained_share)}", p) for p in abstention.curve]
    for which, point in [*named, ("unsure", abstention.when_uncertain)]:
        into.add("posology", f"left_{which}_share", point.abstained_share)
        into.add("posology", f"left_{which}_value", point.value)
        into.add("posology", f"left_{which}_over_usual", point.gain_over_usual_care)
        into.add("posology", f"left_{which}_over_single", point.gain_over_best_single)


def _values(estimates: EffectStudy, into: _Rows) -> None:
    if estimates.personalised_folds is not None:
        into.add("posology", "folds_personal", float(estimates.personalised_folds))
    if estimates.number_needed_to_treat is not None:
        into.add("posology", "number_needed", estimates.number_needed_to_treat)
    verdict = estimates.verdict
    into.add("posology", "differing_patients", float(verdict.differing.patients))
    for v in estimates.rule_values:
        into.add(v.rule, "value", v.value)
        if v.reason:
            into.rows[-1]["reason"] = v.reason
        into.add(v.rule, "gain", v.gain)
        into.add(v.rule, f"gain_over {verdict.reference_name}", v.reference_gain)
        into.add(v.rule, "effective", v.effective_sample_size)
        into.add(v.rule, "restricted", v.restricted_share)
    for s in estimates.stability:
        into.add("posology", "agreement_again", s.agreement)
        into.add("posology", "gain_again", s.gain)
    for metric in ("before", "after"):
        differences = [abs(getattr(b, metric)) for b in estimates.balance]
        known = [difference for difference in differences if not np.isnan(difference)]
        into.add("posology", f"balance_{metric}", max(known, default=float("nan")))


def _groups(estimates: EffectStudy, into: _Rows) -> None:
    for g in estimates.subgroups:
        group = f"{g.family}: {g.group}"
        inside = replace(into, counts=Counts(g.in_population, g.patients_in_population))
        inside.add(group, "group_gain", g.gain)
        inside.add(group, "group_value", g.value)
        for b in g.benefits:
            inside.add(group, f"group_said {b.option}", b.predicted)
            inside.add(group, f"group_seen {b.option}", b.observed)


def _options(estimates: EffectStudy, raw: RawData, into: _Rows) -> None:
    everyone = replace(into, counts=estimates.verdict.overlap.total)
    for option in estimates.verdict.overlap.options:
        everyone.add(option.name, "overlap_given", float(option.patients))
        if option.reason:
            into.rows[-1]["reason"] = option.reason
        into.add(option.name, "overlap_effective", option.effective_sample_size)
        everyone.add(option.name, "overlap_outside", option.extreme_share)
    for o in estimates.option_effects:
        into.add(o.effect.option, f"effect_against_{o.effect.comparator}", o.effect.effect)
        unadjusted = unadjusted_difference(estimates, raw, o.effect.option)
        into.add(o.effect.option, f"unadjusted_against_{o.effect.comparator}", unadjusted)
        if o.confounder_strength is not None:
            for metric, value in _strength(o.confounder_strength).items():
                into.add(o.effect.option, metric, value)


def _strength(strength: ConfounderStrength) -> dict[str, float]:
    """The names of these figures in the JSON."""
    return {"e_value": strength.e_value, "limit": strength.e_value_limit, "gamma": strength.gamma}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the estimates of a page come from."""

    propensity: str
    """Name of the propensity model."""
    seed: int
    model: str | None = None
    """Digest of the saved policy that was evaluated, if one was."""
    records: Mapping[str, Any] | None = None
    """Flow from the records to the cohort, if it is known."""


def build_page(
    cohort: Cohort, trial: StudyTrial, estimates: EffectStudy, source: Provenance
) -> EffectContent:
    """The page's content.

    Args:
        cohort: the cohort that the trial's decisions come from.
        trial: the decisions of the estimates.
        estimates: effects and values.
        source: where they come from.
    """
    overlap, model = estimates.verdict.overlap, source.model
    readable = replace(trial.trial, covariates=trial.readable_covariates)
    return EffectContent(
        study=cohort.study,
        results=estimates,
        estimand=describe_estimand(cohort.study),
        evidence=_describe_evidence(cohort, model is not None),
        warnings=tuple(_CODE_IN_BRACKETS.sub("", text) for text in cohort.warnings),
        flow=describe_flow(cohort, trial, overlap, source.records, model is not None),
        raw=describe_raw_data(cohort, trial, overlap, estimates.verdict.comparator),
        excluded=compare_excluded(readable, overlap.population, trial.covariates),
        covariates=trial.adjusted_for,
        unit=trial.unit,
        is_binary=trial.is_binary,
        propensity_model=source.propensity,
        is_saved_policy=model is not None,
        footer=(
            ("posology", posology.__version__),
            *((("model", model[:16]),) if model is not None else ()),
            ("seed", str(source.seed)),
            ("made", format_now()),
        ),
    )


def has_trajectories(cohort: Cohort) -> bool:
    """Whether later decisions count, and some patient has several."""
    several = bool((np.diff(np.sort(cohort.subject)) == 0).any())
    return several and cohort.study.reward.discount > 0


def _describe_evidence(cohort: Cohort, is_saved_policy: bool) -> str:
    """What kind of data this is, and how its patients are evaluated."""
    kind = _RANDOMISED if cohort.study.assignment.randomised else _OBSERVED
    trajectories = _TRAJECTORIES if has_trajectories(cohort) else ""
    whom = " Only patients of the test split are evaluated." if is_saved_policy else ""
    return (
        f"{kind} No patient is evaluated by a rule that was learned from them.{whom}{trajectories}"
    )
