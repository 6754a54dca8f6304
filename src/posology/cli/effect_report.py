"""What `posology effect` writes: the page's content, and every figure as rows."""

import dataclasses
import datetime

import numpy as np

import posology
from posology.cli.effect_run import Judged
from posology.domain.cohort import Cohort
from posology.evaluation.effects.abstention import Abstention
from posology.evaluation.effects.effect_study import ConfounderStrength, EffectStudy
from posology.evaluation.significance import Difference, Interval
from posology.report.effects.content import EffectContent

_TRIAL = "Treatment was drawn by lot, as the study file says."
_RECORDS = "These are records of care as it was given: nobody was randomised."

_COURSES = (
    " Patients have several decisions: each is judged by its own outcome, so that what a course "
    "of decisions earns to its end is not in these figures."
)


def page(cohort: Cohort, judged: Judged, seed: int, model: str | None = None) -> EffectContent:
    """The report's content; model: the digest of the saved policy that is judged, if one is."""
    asked, trial = judged.asked, judged.asked.trial
    subjects = len(np.unique(trial.subject))
    part = "" if len(trial) == len(cohort) else f", drawn from {len(cohort):,}"
    if model is not None:
        part = ", the cohort's test split"
    return EffectContent(
        study=cohort.study,
        found=judged.found,
        evidence=(
            f"{len(trial):,} decisions of {subjects:,} patients{part}, "
            f"{int(asked.followed.sum()):,} of them followed to the outcome; nobody is judged by "
            "a rule that was learned from them. "
            + (_TRIAL if cohort.study.given.randomised else _RECORDS)
            + (_COURSES if of_courses(cohort) else "")
        ),
        covariates=asked.covariates,
        unit=asked.unit,
        binary=asked.binary,
        propensity=judged.nuisance.propensity.model,
        saved=model is not None,
        footer=(
            ("posology", posology.__version__),
            *((("model", model[:16]),) if model is not None else ()),
            ("seed", str(seed)),
            ("made", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ),
    )


def of_courses(cohort: Cohort) -> bool:
    """Whether later decisions are meant to count, and some patient has them."""
    several = bool((np.diff(np.sort(cohort.subject)) == 0).any())
    return several and cohort.study.reward.discount > 0


@dataclasses.dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of JSON, one a figure."""

    study: str
    n: int
    rows: list[dict]

    def add(self, model: str, metric: str, value: float | Difference | Interval) -> None:
        one = value if isinstance(value, Difference | Interval) else Interval(value, *[np.nan] * 2)
        named = {"study": self.study, "model": model, "split": "held out", "metric": metric}
        figures = {k: _finite(getattr(one, k)) for k in ("value", "low", "high")}
        p = {"p": _finite(one.p)} if isinstance(one, Difference) else {}
        self.rows.append({**named, **figures, "n": self.n, **p})


def rows_of(study: str, judged: Judged) -> list[dict]:
    """Every figure as a row: study, model (rule, option or group), split, metric, value."""
    found, into = judged.found, _Rows(study, len(judged.asked.trial), [])
    into.add("posology", "verdict", float("nan"))
    into.rows[0] |= {"said": found.verdict.sentence, "kind": found.verdict.kind}
    _judgement(found, into)
    _options(found, into)
    if found.rule_confounder_strength is not None:
        for metric, value in _strength(found.rule_confounder_strength).items():
            into.add("posology", f"rule_{metric}", value)
    into.add("posology", "heterogeneity_slope", found.heterogeneity.slope)
    into.add("posology", "heterogeneity_error", found.heterogeneity.standard_error)
    into.add("posology", "heterogeneity_p", found.heterogeneity.p)
    for c in found.contrasts:
        into.add(c.option, "autoc", c.ranking.autoc)
        into.add(c.option, "qini", c.ranking.qini)
        into.add(c.option, "calibration_slope", c.calibration.slope)
        into.add(c.option, "calibration_level", c.calibration.calibration_in_the_large)
        into.add(c.option, "calibration_shape_p", c.calibration.p)
        into.add(c.option, "c_for_benefit", c.c_for_benefit)
        for point in c.decision_curve:
            into.add(c.option, f"net_benefit_{point.threshold:.3g}", point.model)
    if found.abstention is not None:
        _single_patients(found.abstention, into)
    for harm in found.harms:
        into.add("posology", f"harm {harm.rule.outcome}", harm.rule.difference)
        for e in harm.options:
            into.add(e.option, f"harm {harm.rule.outcome}", e.effect)
    return into.rows


def _single_patients(told: Abstention, into: _Rows) -> None:
    for o in told.options:
        into.add(o.option, "surely_better", o.better_share)
        into.add(o.option, "surely_worse", o.worse_share)
        into.add(o.option, "width_of_one", o.median_width)
    named = [(f"{round(100 * p.abstained_share)}", p) for p in told.curve]
    for which, point in [*named, ("unsure", told.when_uncertain)]:
        into.add("posology", f"left_{which}_share", point.abstained_share)
        into.add("posology", f"left_{which}_value", point.value)
        into.add("posology", f"left_{which}_over_usual", point.gain_over_usual_care)
        into.add("posology", f"left_{which}_over_single", point.gain_over_best_single)


def _judgement(found: EffectStudy, into: _Rows) -> None:
    into.add("posology", "outside", found.verdict.overlap.excluded_share)
    if found.personalised_folds is not None:
        into.add("posology", "folds_personal", float(found.personalised_folds))
    if found.number_needed_to_treat is not None:
        into.add("posology", "number_needed", found.number_needed_to_treat)
    for v in found.rule_values:
        into.add(v.rule, "value", v.value)
        into.add(v.rule, "gain", v.gain)
        into.add(v.rule, "effective", v.effective_sample_size)
    for g in found.subgroups:
        group = f"{g.family}: {g.group}"
        into.add(group, "group_gain", g.gain)
        into.add(group, "group_value", g.value)
        for b in g.benefits:
            into.add(group, f"group_said {b.option}", b.predicted)
            into.add(group, f"group_seen {b.option}", b.observed)
    for s in found.stability:
        into.add("posology", "agreement_again", s.agreement)
        into.add("posology", "gain_again", s.gain)
    for metric in ("before", "after"):
        worst = max((abs(getattr(b, metric)) for b in found.balance), default=np.nan)
        into.add("posology", f"balance_{metric}", float(worst))


def _options(found: EffectStudy, into: _Rows) -> None:
    for option in found.verdict.overlap.options:
        into.add(option.name, "overlap_given", float(option.patients))
        into.add(option.name, "overlap_effective", option.effective_sample_size)
        into.add(option.name, "overlap_outside", option.extreme_share)
    for o in found.option_effects:
        into.add(o.effect.option, f"effect_against_{o.effect.comparator}", o.effect.effect)
        into.add(o.effect.option, f"unadjusted_against_{o.effect.comparator}", o.effect.unadjusted)
        for metric, value in _strength(o.confounder_strength).items():
            into.add(o.effect.option, metric, value)


def _strength(strength: ConfounderStrength) -> dict[str, float]:
    """The names of these figures in the JSON."""
    return {"e_value": strength.e_value, "limit": strength.e_value_limit, "gamma": strength.gamma}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
