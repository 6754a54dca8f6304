"""What an effect study gives out: every figure as a row, and the content of its page."""

import dataclasses

import numpy as np

import posology
from posology.domain.cohort import Cohort
from posology.evaluation.effects.abstention import Abstention
from posology.evaluation.effects.effect_study import ConfounderStrength, EffectStudy
from posology.evaluation.intervals import Difference, Interval
from posology.learners.effects.target_trial import StudyTrial
from posology.report.effects.content import EffectContent
from posology.workflows.results import Row, finite_or_none, format_now

_RANDOMISED = "Treatment was randomised, as the study file says."
_OBSERVED = "These are records of routine care: no patient was randomised."
_TRAJECTORIES = (
    " Patients have several decisions: each is evaluated by its own outcome, so these figures do "
    "not include what a trajectory of decisions is worth to its end."
)


def effect_rows(study: str, decisions: int, estimates: EffectStudy) -> list[Row]:
    """The verdict first, then every figure."""
    into = _Rows(study, decisions, [])
    into.add("posology", "verdict", float("nan"))
    into.rows[0] |= {"said": estimates.verdict.sentence, "kind": estimates.verdict.kind}
    _values(estimates, into)
    _options(estimates, into)
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
    return into.rows


@dataclasses.dataclass(frozen=True, slots=True)
class _Rows:
    """Rows, one a figure, of one study and number of decisions."""

    study: str
    n: int
    rows: list[Row]

    def add(self, model: str, metric: str, value: float | Difference | Interval) -> None:
        one = value if isinstance(value, Difference | Interval) else Interval(value, *[np.nan] * 2)
        named = {"study": self.study, "model": model, "split": "held out", "metric": metric}
        figures = {k: finite_or_none(getattr(one, k)) for k in ("value", "low", "high")}
        p = {"p": finite_or_none(one.p)} if isinstance(one, Difference) else {}
        self.rows.append({**named, **figures, "n": self.n, **p})


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
    into.add("posology", "outside", estimates.verdict.overlap.excluded_share)
    if estimates.personalised_folds is not None:
        into.add("posology", "folds_personal", float(estimates.personalised_folds))
    if estimates.number_needed_to_treat is not None:
        into.add("posology", "number_needed", estimates.number_needed_to_treat)
    for v in estimates.rule_values:
        into.add(v.rule, "value", v.value)
        into.add(v.rule, "gain", v.gain)
        into.add(v.rule, "effective", v.effective_sample_size)
    for g in estimates.subgroups:
        group = f"{g.family}: {g.group}"
        into.add(group, "group_gain", g.gain)
        into.add(group, "group_value", g.value)
        for b in g.benefits:
            into.add(group, f"group_said {b.option}", b.predicted)
            into.add(group, f"group_seen {b.option}", b.observed)
    for s in estimates.stability:
        into.add("posology", "agreement_again", s.agreement)
        into.add("posology", "gain_again", s.gain)
    for metric in ("before", "after"):
        differences = [abs(getattr(b, metric)) for b in estimates.balance]
        known = [difference for difference in differences if not np.isnan(difference)]
        into.add("posology", f"balance_{metric}", max(known, default=np.nan))


def _options(estimates: EffectStudy, into: _Rows) -> None:
    for option in estimates.verdict.overlap.options:
        into.add(option.name, "overlap_given", float(option.patients))
        into.add(option.name, "overlap_effective", option.effective_sample_size)
        into.add(option.name, "overlap_outside", option.extreme_share)
    for o in estimates.option_effects:
        into.add(o.effect.option, f"effect_against_{o.effect.comparator}", o.effect.effect)
        into.add(o.effect.option, f"unadjusted_against_{o.effect.comparator}", o.effect.unadjusted)
        for metric, value in _strength(o.confounder_strength).items():
            into.add(o.effect.option, metric, value)


def _strength(strength: ConfounderStrength) -> dict[str, float]:
    """The names of these figures in the JSON."""
    return {"e_value": strength.e_value, "limit": strength.e_value_limit, "gamma": strength.gamma}


def build_page(
    cohort: Cohort,
    trial: StudyTrial,
    estimates: EffectStudy,
    propensity: str,
    seed: int,
    model: str | None,
) -> EffectContent:
    """The page's content.

    Args:
        cohort: the cohort that the trial's decisions come from.
        trial: the decisions of the estimates.
        estimates: effects and values.
        propensity: name of the propensity model.
        seed: of the estimates.
        model: digest of the saved policy that was evaluated, if one was.
    """
    return EffectContent(
        study=cohort.study,
        results=estimates,
        evidence=_describe_evidence(cohort, trial, model is not None),
        covariates=trial.covariates,
        unit=trial.unit,
        is_binary=trial.is_binary,
        propensity_model=propensity,
        is_saved_policy=model is not None,
        footer=(
            ("posology", posology.__version__),
            *((("model", model[:16]),) if model is not None else ()),
            ("seed", str(seed)),
            ("made", format_now()),
        ),
    )


def has_trajectories(cohort: Cohort) -> bool:
    """Whether later decisions count, and some patient has several."""
    several = bool((np.diff(np.sort(cohort.subject)) == 0).any())
    return several and cohort.study.reward.discount > 0


def _describe_evidence(cohort: Cohort, trial: StudyTrial, is_saved_policy: bool) -> str:
    decisions, patients = len(trial.trial), len(np.unique(trial.trial.subject))
    source = "" if decisions == len(cohort) else f", sampled from {len(cohort):,}"
    if is_saved_policy:
        source = ", the cohort's test split"
    return (
        f"{decisions:,} decisions of {patients:,} patients{source}, "
        f"{int(trial.is_followed_up.sum()):,} of them followed to the outcome; no patient is "
        "evaluated by a rule that was learned from them. "
        + (_RANDOMISED if cohort.study.assignment.randomised else _OBSERVED)
        + (_TRAJECTORIES if has_trajectories(cohort) else "")
    )
