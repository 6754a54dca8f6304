"""Table 1: every model on the same patients, and whether differences are significant."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool

from posology.domain.cohort import SPLITS, Cohort, held_out_sites
from posology.errors import UserError
from posology.evaluation.intervals import (
    REPLICATES,
    Difference,
    Interval,
    Scores,
    Weights,
    jackknife_difference,
    jackknife_interval,
    leave_one_out_weights,
    paired_difference,
    percentile_interval,
    resample_weights,
    unit_weights,
)
from posology.evaluation.significance import holm_adjust, mcnemar_p_value
from posology.evaluation.table1.metrics import (
    LOWER_IS_BETTER,
    METRICS,
    compute_metric,
    counted_decisions,
)
from posology.evaluation.table1.predictions import Predictions

ALPHA = 0.05
"""Significance level, after Holm's correction."""

TestVerdict = Literal["better", "worse", "tie", "untested"]


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric of one model; NaN if the model does not predict what the metric scores."""

    study: str
    model: str
    split: str
    metric: str
    value: float
    low: float
    high: float
    n: int
    """Number of decisions counted."""


@dataclass(frozen=True, slots=True)
class PairedTest:
    """The reference minus another model, on the decisions that both predict."""

    metric: str
    model: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    """Holm-corrected over the baselines of this metric; variants of the reference are a family of
    their own."""
    verdict: TestVerdict
    """Whether the reference is better or worse (p_holm < 0.05); `untested` without a p value."""
    n: int


@dataclass(frozen=True, slots=True)
class Table1:
    """Every model's metrics, and the reference tested against each of the others."""

    reference: str
    dose_unit: str
    """Empty in studies without one overall dose."""
    decisions: int
    subjects: int
    sites: int | None
    """Number of sites where the study splits by site, so that intervals are over sites."""
    split: str
    rows: tuple[MetricRow, ...]
    tests: tuple[PairedTest, ...]

    def row(self, model: str, metric: str) -> MetricRow:
        """One metric of one model."""
        return next(r for r in self.rows if (r.model, r.metric) == (model, metric))

    def test(self, model: str, metric: str) -> PairedTest:
        """The test of the reference against one model."""
        return next(t for t in self.tests if (t.model, t.metric) == (model, metric))

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order of the rows."""
        return tuple(dict.fromkeys(r.model for r in self.rows))


def compare_models(
    predictions: Mapping[str, Predictions],
    cohort: Cohort,
    rng: np.random.Generator,
    split: str = "",
    reference: str = "posology",
    replicates: int = REPLICATES,
) -> Table1:
    """Score every model on the same decisions and test the reference against every other one.

    Intervals and differences come from one bootstrap over subjects, shared by all models. The p
    value of accuracy is McNemar's (mid-p) if every decision is of another subject; all other p
    values are of the paired bootstrap. Where the study splits by site, other sites are what is new:
    every interval and p value is of the jackknife over sites, with a t distribution.

    Args:
        split: name of the split in the rows; by default that of the cohort's decisions.
    """
    _check(predictions, cohort, reference)
    split = split or "+".join(SPLITS[s] for s in np.unique(cohort.split))
    scores = _resample(_Models(predictions, cohort, reference), rng, replicates)
    rows = [_row(metric, model, split, scores) for model in predictions for metric in METRICS]
    tests: list[PairedTest] = []
    for metric in METRICS:
        uncorrected = [_test(metric, m, scores) for m in predictions if m != reference]
        tests += _correct(uncorrected, reference)
    return Table1(
        reference=reference,
        dose_unit=cohort.study.dose.unit if cohort.study.dose else "",
        decisions=len(cohort),
        subjects=len(np.unique(cohort.subject)),
        sites=len(np.unique(cohort.site)) if _is_by_site(cohort) else None,
        split=split,
        rows=tuple(rows),
        tests=tuple(tests),
    )


def to_rows(table: Table1) -> list[dict[str, str | float | int | None]]:
    """The rows as written to JSON; NaN becomes None."""
    return [
        {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(row).items()
        }
        for row in table.rows
    ]


def is_variant(model: str, reference: str) -> bool:
    """Whether a model is a variant of the reference (`posology_paper`) and not a baseline."""
    return model == NETWORK_ALONE or model.startswith(reference + "_")


NETWORK_ALONE = "network"
"""Our network without the stack's other members."""


@dataclass(frozen=True, slots=True)
class _Score:
    """A metric of a model, on the decisions that the partner predicts too."""

    metric: str
    model: str
    partner: str


@dataclass(frozen=True, slots=True, eq=False)
class _Models:
    """The models that are compared, and the decisions they are compared on."""

    predictions: Mapping[str, Predictions]
    cohort: Cohort
    reference: str

    def counted(self, metric: str, model: str) -> Bool[np.ndarray, " decision"]:
        return counted_decisions(metric, self.predictions[model], self.cohort)

    def pair(self, metric: str, model: str, other: str) -> _Score:
        """The model's metric on the decisions that both models predict."""
        only_model = self.counted(metric, model) & ~self.counted(metric, other)
        return _Score(metric, model, other if only_model.any() else "")

    def compute(self, score: _Score, weights: Weights) -> Scores:
        if score.partner:
            weights = weights * self.counted(score.metric, score.partner)
        return compute_metric(score.metric, self.predictions[score.model], self.cohort, weights)


@dataclass(frozen=True, slots=True, eq=False)
class _Resamples:
    """Every score, observed and in each resample: of subjects, or without each site."""

    models: _Models
    observed: Mapping[_Score, float]
    resampled: Mapping[_Score, Scores]

    def interval(self, score: _Score) -> Interval:
        make = jackknife_interval if _is_by_site(self.models.cohort) else percentile_interval
        return make(self.observed[score], self.resampled[score])

    def difference(self, first: _Score, second: _Score) -> Difference:
        make = jackknife_difference if _is_by_site(self.models.cohort) else paired_difference
        value = self.observed[first] - self.observed[second]
        return make(value, self.resampled[first], self.resampled[second])


def _is_by_site(cohort: Cohort) -> bool:
    return held_out_sites(cohort) is not None


def _check(predictions: Mapping[str, Predictions], cohort: Cohort, reference: str) -> None:
    if reference not in predictions:
        raise UserError(
            f"no predictions of {reference!r} to compare; there are {sorted(predictions)}"
        )
    if not len(cohort):
        raise UserError("the cohort has no decisions: there is nothing to score")
    for model, of_model in predictions.items():
        if len(of_model) != len(cohort):
            raise UserError(
                f"{model!r} has predictions for {len(of_model)} decisions, the cohort has "
                f"{len(cohort)}: predict this very cohort"
            )


def _resample(models: _Models, rng: np.random.Generator, replicates: int) -> _Resamples:
    scores = dict.fromkeys(
        score
        for metric in METRICS
        for model in models.predictions
        for score in (
            _Score(metric, model, ""),
            models.pair(metric, model, models.reference),
            models.pair(metric, models.reference, model),
        )
    )
    once = unit_weights(len(models.cohort))
    parts: dict[_Score, list[Scores]] = {score: [] for score in scores}
    cohort = models.cohort
    blocks: Iterable[Weights] = resample_weights(cohort.subject, replicates, rng)
    if _is_by_site(cohort):
        blocks = [leave_one_out_weights(cohort.site.astype(np.int64))]
    for weights in blocks:
        for score in scores:
            parts[score].append(models.compute(score, weights))
    return _Resamples(
        models,
        {score: float(models.compute(score, once)[0]) for score in scores},
        {score: np.concatenate(blocks) for score, blocks in parts.items()},
    )


def _row(metric: str, model: str, split: str, resamples: _Resamples) -> MetricRow:
    interval = resamples.interval(_Score(metric, model, ""))
    n = int(resamples.models.counted(metric, model).sum())
    study = resamples.models.cohort.study.name
    return MetricRow(study, model, split, metric, interval.value, interval.low, interval.high, n)


def _test(metric: str, model: str, resamples: _Resamples) -> PairedTest:
    models = resamples.models
    reference = models.pair(metric, models.reference, model)
    other = models.pair(metric, model, models.reference)
    difference = resamples.difference(reference, other)
    both = models.counted(metric, models.reference) & models.counted(metric, model)
    p = difference.p
    if metric == "accuracy" and _are_independent(models.cohort) and both.any():
        is_correct = [_is_correct(models, m)[both] for m in (models.reference, model)]
        p = mcnemar_p_value(*is_correct)
    return PairedTest(
        metric=metric,
        model=model,
        difference=difference.value,
        low=difference.low,
        high=difference.high,
        p=p,
        p_holm=p,
        verdict="untested",
        n=int(both.sum()),
    )


def _are_independent(cohort: Cohort) -> bool:
    return len(np.unique(cohort.subject)) == len(cohort) and not _is_by_site(cohort)


def _is_correct(models: _Models, model: str) -> Bool[np.ndarray, " decision"]:
    return models.predictions[model].effectiveness.argmax(axis=1) == models.cohort.best_treatment


def _correct(tests: list[PairedTest], reference: str) -> list[PairedTest]:
    """Add Holm's correction and the verdict: baselines are one family, variants another."""
    corrected = {}
    for variants in (True, False):
        family = [t for t in tests if is_variant(t.model, reference) is variants]
        for test, p in zip(family, holm_adjust([t.p for t in family]), strict=True):
            corrected[test.model] = replace(test, p_holm=p, verdict=_verdict(test, p))
    return [corrected[test.model] for test in tests]


def _verdict(test: PairedTest, p_holm: float) -> TestVerdict:
    if np.isnan(p_holm):
        return "untested"
    if p_holm >= ALPHA or test.difference == 0:
        return "tie"
    is_better = (test.difference < 0) == (test.metric in LOWER_IS_BETTER)
    return "better" if is_better else "worse"
