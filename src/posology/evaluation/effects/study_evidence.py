"""What an effect study found, in the form that is kept with a policy and shown with each answer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from posology.causal.doubly_robust_scores import Nuisance
from posology.domain.recommendation.evidence import (
    GroupEvidence,
    HarmEvidence,
    OptionEvidence,
    PairEvidence,
    StudyEvidence,
)
from posology.domain.recommendation.option import Estimate
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.reference import reference_outcome
from posology.evaluation.effects.verdict import Verdict
from posology.evaluation.intervals import (
    Difference,
    Interval,
    bootstrap_means,
    percentile_interval,
    simultaneous_differences,
)

_HUNDRED = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class HarmStudy:
    """A harm or cost of the same decisions."""

    nuisance: Nuisance
    unit: str
    """Empty for events."""


@dataclass(frozen=True, slots=True, eq=False)
class EvidenceSource:
    """An effect study with the models behind it."""

    study: EffectStudy
    nuisance: Nuisance
    harms: Mapping[str, HarmStudy]
    names: tuple[str, ...]
    """Of the options, as in the study file."""
    unit: str
    """Of the outcome; empty for events."""
    is_randomised: bool


def build_study_evidence(source: EvidenceSource, rng: np.random.Generator) -> StudyEvidence:
    """Values, differences and harms of each option, counted of 100 patients where events."""
    verdict, factor = source.study.verdict, _HUNDRED if not source.unit else 1.0
    overlap, reference = verdict.overlap, verdict.reference.option
    judged, scores = overlap.judged, source.nuisance.scores
    values: dict[int, Estimate | None] = {}
    reference_value, harms = None, {}
    if judged:
        by_reference = reference_outcome(source.nuisance, verdict.reference)
        columns = np.column_stack([scores[:, judged], by_reference])
        *of_options, reference_value = _means(source, columns, factor, rng)
        values = dict(zip(judged, of_options, strict=True))
        harms = {name: _harm(source, harm, rng) for name, harm in source.harms.items()}
    differences = _differences(verdict, factor)
    return StudyEvidence(
        verdict=verdict.kind,
        sentence=verdict.sentence,
        reference="" if reference is None else source.names[reference],
        reference_value=reference_value,
        unit=source.unit,
        is_randomised=source.is_randomised,
        decisions=overlap.total.decisions,
        patients=overlap.total.patients,
        outside_share=float(overlap.excluded_share),
        heterogeneity_p=_finite(source.study.heterogeneity.p, 1.0),
        options=tuple(
            OptionEvidence(
                name=source.names[k],
                patients=option.patients,
                effective_sample_size=_finite(option.effective_sample_size, 0.0),
                value=values.get(k),
                difference=differences.get(k),
                harms=_option_harms(source, harms, k),
                is_judged=option.is_judged,
                reason=option.reason,
            )
            for k, option in enumerate(overlap.options)
        ),
        groups=tuple(
            GroupEvidence(g.family, g.group, g.patients, _estimate(g.gain, factor))
            for g in source.study.subgroups
        ),
        pairs=_pairs(verdict, source.names, factor),
    )


def _means(
    source: EvidenceSource, columns: np.ndarray, factor: float, rng: np.random.Generator
) -> list[Estimate | None]:
    """Mean of each column over the analysis population, with its interval over patients."""
    population = source.study.verdict.overlap.population
    inside = columns[population]
    draws = bootstrap_means(inside, source.nuisance.trial.subject[population], rng)
    return [
        _estimate(percentile_interval(float(mean), draws[:, at]), factor)
        for at, mean in enumerate(inside.mean(axis=0))
    ]


def _differences(verdict: Verdict, factor: float) -> dict[int, Estimate | None]:
    """Of each judged option to the reference; intervals hold for all of them together."""
    if verdict.against_reference is None:
        return {}
    return {c.index: _estimate(c.effect, factor) for c in verdict.against_reference.contrasts}


def _pairs(verdict: Verdict, names: tuple[str, ...], factor: float) -> tuple[PairEvidence, ...]:
    found = () if verdict.against_reference is None else verdict.against_reference.pairs
    estimates = [(pair, _estimate(pair.effect, factor)) for pair in found]
    return tuple(
        PairEvidence(names[pair.first], names[pair.second], estimate)
        for pair, estimate in estimates
        if estimate is not None
    )


_Harm = dict[int, tuple[Estimate | None, Estimate | None]]


def _harm(source: EvidenceSource, harm: HarmStudy, rng: np.random.Generator) -> _Harm:
    """Value, and difference to the reference, of each judged option."""
    verdict, factor = source.study.verdict, _HUNDRED if not harm.unit else 1.0
    population, judged = verdict.overlap.population, verdict.overlap.judged
    scores: Float64[np.ndarray, "decision treatment"] = harm.nuisance.scores[:, judged]
    by_reference = reference_outcome(harm.nuisance, verdict.reference)
    values = _means(source, scores, factor, rng)
    others = [at for at, k in enumerate(judged) if k != verdict.reference.option]
    columns = (scores[:, others] - by_reference[:, None])[population]
    draws = bootstrap_means(columns, source.nuisance.trial.subject[population], rng)
    differences = simultaneous_differences(columns.mean(axis=0), draws)
    by_option = {judged[at]: d for at, d in zip(others, differences, strict=True)}
    return {
        k: (value, _estimate(by_option[k], factor) if k in by_option else None)
        for k, value in zip(judged, values, strict=True)
    }


def _option_harms(
    source: EvidenceSource, harms: Mapping[str, _Harm], option: int
) -> tuple[HarmEvidence, ...]:
    known = [
        HarmEvidence(name, source.harms[name].unit, *by_option[option])
        for name, by_option in harms.items()
        if option in by_option
    ]
    unknown = [
        HarmEvidence(name, "", None, None, reason) for name, reason in source.study.not_estimable
    ]
    return (*known, *unknown)


def _estimate(found: Difference | Interval, factor: float) -> Estimate | None:
    """None where the value or a limit is not known."""
    numbers = (factor * found.value, factor * found.low, factor * found.high)
    return Estimate(*map(float, numbers)) if np.isfinite(numbers).all() else None


def _finite(number: float, otherwise: float) -> float:
    return float(number) if np.isfinite(number) else otherwise
