"""What `posology effect` writes: the page's content, and every figure as rows."""

import dataclasses
import datetime

import numpy as np

import posology
from posology.cli.effect_run import Judged
from posology.domain.cohort import Cohort
from posology.evaluation.effects.abstention import Abstention
from posology.evaluation.effects.effect_study import EffectStudy
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
    for part in (found.rule, found.heterogeneity):
        if part is not None:
            name = "rule" if part is found.rule else "heterogeneity"
            for metric, value in dataclasses.asdict(part).items():
                into.add("posology", f"{name}_{metric}", value)
    for c in found.contrasts:
        into.add(c.option, "autoc", c.rate.autoc)
        into.add(c.option, "qini", c.rate.qini)
        into.add(c.option, "calibration_slope", c.calibration.slope)
        into.add(c.option, "calibration_level", c.calibration.level)
        into.add(c.option, "calibration_shape_p", c.calibration.p)
        into.add(c.option, "c_for_benefit", c.c)
        for point in c.curve:
            into.add(c.option, f"net_benefit_{point.threshold:.3g}", point.model)
    if found.patients is not None:
        _single_patients(found.patients, into)
    for harm in found.harms:
        into.add("posology", f"harm {harm.rule.outcome}", harm.rule.difference)
        for e in harm.options:
            into.add(e.option, f"harm {harm.rule.outcome}", e.effect)
    return into.rows


def _single_patients(told: Abstention, into: _Rows) -> None:
    for o in told.options:
        into.add(o.option, "surely_better", o.better)
        into.add(o.option, "surely_worse", o.worse)
        into.add(o.option, "width_of_one", o.width)
    named = [(f"{round(100 * p.left)}", p) for p in told.curve]
    for which, point in [*named, ("unsure", told.unsure)]:
        into.add("posology", f"left_{which}_share", point.left)
        into.add("posology", f"left_{which}_value", point.value)
        into.add("posology", f"left_{which}_over_usual", point.over_usual)
        into.add("posology", f"left_{which}_over_single", point.over_single)


def _judgement(found: EffectStudy, into: _Rows) -> None:
    into.add("posology", "outside", found.verdict.overlap.outside)
    if found.folds_personal is not None:
        into.add("posology", "folds_personal", float(found.folds_personal))
    if found.needed is not None:
        into.add("posology", "number_needed", found.needed)
    for v in found.values:
        into.add(v.rule, "value", v.value)
        into.add(v.rule, "gain", v.gain)
        into.add(v.rule, "effective", v.effective)
    for g in found.groups:
        group = f"{g.family}: {g.group}"
        into.add(group, "group_gain", g.gain)
        into.add(group, "group_value", g.value)
        for b in g.benefits:
            into.add(group, f"group_said {b.option}", b.said)
            into.add(group, f"group_seen {b.option}", b.seen)
    for s in found.stability:
        into.add("posology", "agreement_again", s.agreement)
        into.add("posology", "gain_again", s.gain)
    for metric in ("before", "after"):
        worst = max((abs(getattr(b, metric)) for b in found.balance), default=np.nan)
        into.add("posology", f"balance_{metric}", float(worst))


def _options(found: EffectStudy, into: _Rows) -> None:
    for option in found.verdict.overlap.options:
        for metric in ("given", "effective", "outside"):
            into.add(option.name, f"overlap_{metric}", float(getattr(option, metric)))
    for o in found.effects:
        into.add(o.effect.option, f"effect_against_{o.effect.against}", o.effect.effect)
        into.add(o.effect.option, f"unadjusted_against_{o.effect.against}", o.effect.unadjusted)
        for metric, value in dataclasses.asdict(o.strength).items():
            into.add(o.effect.option, metric, value)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
