"""Table 1: every model on the same patients, and whether the differences could be chance."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
from jaxtyping import Bool

from posology.domain.cohort import SPLITS, Cohort
from posology.errors import UserError
from posology.evaluation import classification
from posology.evaluation.classification import Scores, Weights, unit_weights
from posology.evaluation.significance import (
    REPLICATES,
    holm_adjust,
    mcnemar_p_value,
    paired_difference,
    percentile_interval,
    resample_weights,
)
from posology.evaluation.table1 import dose_error as dosing
from posology.evaluation.table1 import expected_reward as value
from posology.evaluation.table1.predictions import Predictions

METRICS = ("accuracy", "precision", "recall", "f1", "auc", "mae", "within20", "reward")
LOWER_IS_BETTER = frozenset({"mae"})
ALPHA = 0.05
_CLASS_SCORES = {
    "accuracy": classification.accuracy,
    "precision": classification.precision,
    "recall": classification.recall,
    "f1": classification.f1,
    "auc": classification.auc,
}


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One figure; NaN where the model does not answer that question."""

    study: str
    model: str
    split: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    """Decisions counted."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The reference minus another model, on the decisions that both answered."""

    metric: str
    model: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    """Corrected over the baselines of this metric; our own variants are a family of their own."""
    verdict: str
    """Of the reference: `better`, `worse` or `tie` at p_holm < 0.05; `untested` without p."""
    n: int


@dataclass(frozen=True, slots=True)
class Table1:
    """Every model's figures, and the reference against each of the others."""

    reference: str
    dose_unit: str
    """Of the dose; empty where the study asks none."""
    decisions: int
    subjects: int
    split: str
    rows: tuple[MetricRow, ...]
    tests: tuple[PairedTest, ...]

    def row(self, model: str, metric: str) -> MetricRow:
        """The figure of one model."""
        return next(r for r in self.rows if (r.model, r.metric) == (model, metric))

    def test(self, model: str, metric: str) -> PairedTest:
        """The reference against one model."""
        return next(t for t in self.tests if (t.model, t.metric) == (model, metric))

    @property
    def models(self) -> tuple[str, ...]:
        """In the order given."""
        return tuple(dict.fromkeys(r.model for r in self.rows))


def compute_metric(
    metric: str, predictions: Predictions, cohort: Cohort, weights: Weights
) -> Scores:
    """One of `METRICS` under each row of weights."""
    if metric in _CLASS_SCORES:
        asked = (
            ranking_scores(predictions, cohort) if metric == "auc" else predictions.effectiveness
        )
        return _CLASS_SCORES[metric](asked, cohort.best_treatment, weights)
    if metric == "reward":
        return value.mean_expected_reward(
            predictions.probabilities, cohort.potential_rewards, weights
        )
    score = dosing.mean_absolute_error if metric == "mae" else dosing.share_within_20
    return score(predictions.dose, dosing.true_dose(cohort), weights)


def ranking_scores(predictions: Predictions, cohort: Cohort) -> np.ndarray:
    """What says that an option is the best one: its lead, unless probabilities sum to 1 anyway."""
    if cohort.study.outcome.kind == "dose_class":
        return predictions.effectiveness
    return classification.log_odds_margin(predictions.effectiveness)


def counted_decisions(
    metric: str, predictions: Predictions, cohort: Cohort
) -> Bool[np.ndarray, " decision"]:
    """The decisions that a metric counts for a model."""
    if metric in _CLASS_SCORES:
        return cohort.best_treatment >= 0
    if metric == "reward":
        return value.has_all_rewards(cohort.potential_rewards)
    return dosing.has_both_doses(predictions.dose, dosing.true_dose(cohort))


def compare_models(
    predictions: Mapping[str, Predictions],
    cohort: Cohort,
    rng: np.random.Generator,
    split: str = "",
    reference: str = "posology",
    replicates: int = REPLICATES,
) -> Table1:
    """Score every model on the same decisions and test the reference against each other one.

    Intervals and differences are of one bootstrap over subjects, shared by all models. Accuracy's p
    is McNemar's (mid-p) where every decision is another subject's; all other p are the paired
    bootstrap's.

    Args:
        split: what the rows say; without it, the name of the cohort's own split.
    """
    _check(predictions, cohort, reference)
    split = split or "+".join(SPLITS[s] for s in np.unique(cohort.split))
    drawn = _draw(_Field(predictions, cohort, reference), rng, replicates)
    rows = [_row(metric, model, split, drawn) for model in predictions for metric in METRICS]
    tests: list[PairedTest] = []
    for metric in METRICS:
        found = [_test(metric, model, drawn) for model in predictions if model != reference]
        tests += _corrected(found, reference)
    return Table1(
        reference=reference,
        dose_unit=cohort.study.dose.unit if cohort.study.dose else "",
        decisions=len(cohort),
        subjects=len(np.unique(cohort.subject)),
        split=split,
        rows=tuple(rows),
        tests=tuple(tests),
    )


def to_rows(table: Table1) -> list[dict[str, str | float | int | None]]:
    """The rows as benchmarks write them to JSON; what is not defined is None."""
    return [
        {key: None if value != value else value for key, value in asdict(row).items()}
        for row in table.rows
    ]


def is_variant(model: str, reference: str) -> bool:
    """Whether a model is another form of the reference (`posology_paper`), not a baseline."""
    return model.startswith(reference + "_")


@dataclass(frozen=True, slots=True)
class _Job:
    """A metric of a model, on the decisions that the partner too answered."""

    metric: str
    model: str
    partner: str


@dataclass(frozen=True, slots=True, eq=False)
class _Field:
    """Who is compared, on whom."""

    named: Mapping[str, Predictions]
    cohort: Cohort
    reference: str

    def counted(self, metric: str, model: str) -> Bool[np.ndarray, " decision"]:
        return counted_decisions(metric, self.named[model], self.cohort)

    def pair(self, metric: str, model: str, other: str) -> _Job:
        """The model's job on common ground; its own job where that is all it answered."""
        alone = self.counted(metric, model) & ~self.counted(metric, other)
        return _Job(metric, model, other if alone.any() else "")

    def score(self, job: _Job, weights: Weights) -> Scores:
        if job.partner:
            weights = weights * self.counted(job.metric, job.partner)
        return compute_metric(job.metric, self.named[job.model], self.cohort, weights)


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """Every job's figure, observed and in each resample."""

    field: _Field
    observed: Mapping[_Job, float]
    resampled: Mapping[_Job, Scores]


def _check(named: Mapping[str, Predictions], cohort: Cohort, reference: str) -> None:
    if reference not in named:
        raise UserError(f"no answers of {reference!r} to compare; there are {sorted(named)}")
    if not len(cohort):
        raise UserError("the cohort has no decisions: there is nothing to score")
    for model, answers in named.items():
        if len(answers) != len(cohort):
            raise UserError(
                f"{model!r} answered {len(answers)} decisions, the cohort has {len(cohort)}: "
                "ask it about this very cohort"
            )


def _draw(field: _Field, rng: np.random.Generator, replicates: int) -> _Drawn:
    jobs = dict.fromkeys(
        job
        for metric in METRICS
        for model in field.named
        for job in (
            _Job(metric, model, ""),
            field.pair(metric, model, field.reference),
            field.pair(metric, field.reference, model),
        )
    )
    whole = unit_weights(len(field.cohort))
    parts: dict[_Job, list[Scores]] = {job: [] for job in jobs}
    for weights in resample_weights(field.cohort.subject, replicates, rng):
        for job in jobs:
            parts[job].append(field.score(job, weights))
    return _Drawn(
        field,
        {job: float(field.score(job, whole)[0]) for job in jobs},
        {job: np.concatenate(scores) for job, scores in parts.items()},
    )


def _row(metric: str, model: str, split: str, drawn: _Drawn) -> MetricRow:
    job = _Job(metric, model, "")
    span = percentile_interval(drawn.observed[job], drawn.resampled[job])
    n = int(drawn.field.counted(metric, model).sum())
    study = drawn.field.cohort.study.name
    return MetricRow(study, model, split, metric, span.value, span.low, span.high, n)


def _test(metric: str, model: str, drawn: _Drawn) -> PairedTest:
    field = drawn.field
    ours = field.pair(metric, field.reference, model)
    theirs = field.pair(metric, model, field.reference)
    found = paired_difference(
        drawn.observed[ours] - drawn.observed[theirs],
        drawn.resampled[ours],
        drawn.resampled[theirs],
    )
    both = field.counted(metric, field.reference) & field.counted(metric, model)
    p = found.p
    if metric == "accuracy" and _one_each(field.cohort) and both.any():
        p = mcnemar_p_value(_right(field, field.reference)[both], _right(field, model)[both])
    n = int(both.sum())
    return PairedTest(metric, model, found.value, found.low, found.high, p, p, "untested", n)


def _one_each(cohort: Cohort) -> bool:
    return len(np.unique(cohort.subject)) == len(cohort)


def _right(field: _Field, model: str) -> Bool[np.ndarray, " decision"]:
    return field.named[model].effectiveness.argmax(axis=1) == field.cohort.best_treatment


def _corrected(tests: list[PairedTest], reference: str) -> list[PairedTest]:
    judged = {}
    for family in (True, False):
        members = [t for t in tests if is_variant(t.model, reference) is family]
        for test, p in zip(members, holm_adjust([t.p for t in members]), strict=True):
            judged[test.model] = replace(test, p_holm=p, verdict=_verdict(test, p))
    return [judged[test.model] for test in tests]


def _verdict(test: PairedTest, p_holm: float) -> str:
    if np.isnan(p_holm):
        return "untested"
    if p_holm >= ALPHA or test.difference == 0:
        return "tie"
    better = (test.difference < 0) == (test.metric in LOWER_IS_BETTER)
    return "better" if better else "worse"
