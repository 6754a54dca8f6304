"""Summaries of several hospitals pooled: each effect, and how far it differs between them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from posology.domain.statistics.protocol import describe_differences
from posology.domain.statistics.study_summary import (
    GUIDELINE,
    LEARNED,
    OPTION,
    SharedOutcome,
    StudySummary,
)
from posology.errors import UserError
from posology.evaluation.pooling.consistency import describe_repetition
from posology.evaluation.pooling.random_effects import RandomEffects, pool_effects

SHOWN = 3
"""Differences between two studies that an error names."""


@dataclass(frozen=True, slots=True)
class HospitalEffect:
    """The effect in one hospital."""

    hospital: str
    effect: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class PooledEffect:
    """One comparison over all hospitals that share it."""

    outcome: SharedOutcome
    """Which outcome and group, as the first hospital shares it."""
    name: str
    title: str
    kind: str
    against: str
    against_title: str
    hospitals: tuple[HospitalEffect, ...]
    missing: tuple[tuple[str, str], ...]
    """Other hospitals, each with the reason."""
    pooled: RandomEffects | None
    """None of one hospital alone."""


@dataclass(frozen=True, slots=True)
class PooledStudy:
    """Everything that the hospitals share."""

    hospitals: tuple[str, ...]
    summaries: tuple[StudySummary, ...]
    effects: tuple[PooledEffect, ...]
    notes: tuple[str, ...]
    """What a reader must know about how the hospitals differ."""


def pool_summaries(summaries: Mapping[str, StudySummary]) -> PooledStudy:
    """Pool each effect that at least one hospital shares; UserError if their studies differ.

    Args:
        summaries: by name of the hospital.
    """
    _check_same_study(summaries)
    keys = dict.fromkeys(
        (outcome.family, outcome.group, outcome.name)
        for summary in summaries.values()
        for outcome in summary.outcomes
    )
    effects = [effect for key in keys for effect in _pool_outcome(summaries, key)]
    return PooledStudy(
        hospitals=tuple(summaries),
        summaries=tuple(summaries.values()),
        effects=tuple(effects),
        notes=_notes(summaries),
    )


def _check_same_study(summaries: Mapping[str, StudySummary]) -> None:
    if len(summaries) < 2:
        raise UserError("posology pool: name the summaries of at least two hospitals.")
    (first, one), *others = summaries.items()
    for name, other in others:
        if other.study.hash != one.study.hash:
            differences = describe_differences(one.study.protocol, other.study.protocol)
            more = f", and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
            raise UserError(
                f"{first} and {name} are of different studies: {'; '.join(differences[:SHOWN])}"
                f"{more}. Run `posology effect` with the same study file in both."
            )
    for (name, one), (again, other) in itertools.combinations(summaries.items(), 2):
        row = describe_repetition(one, other)
        if row or one.outcomes == other.outcomes:
            raise UserError(
                f"{name} and {again} hold the same estimates{f' ({row})' if row else ''}: name "
                "each hospital once, with the file that it wrote itself."
            )


def _notes(summaries: Mapping[str, StudySummary]) -> tuple[str, ...]:
    notes = []
    versions = sorted({summary.posology for summary in summaries.values()})
    if len(versions) > 1:
        notes.append(f"Made by different versions of posology: {', '.join(versions)}.")
    reference = next(iter(summaries.values())).analysis.reference
    notes += [
        f"{name} compares with {summary.analysis.reference}, not with {reference}: its effects on "
        "single options are pooled only where both are shared."
        for name, summary in summaries.items()
        if summary.analysis.reference != reference
    ]
    return tuple(notes)


_Key = tuple[str, str, str]


def _pool_outcome(summaries: Mapping[str, StudySummary], key: _Key) -> list[PooledEffect]:
    """Every comparison of one outcome in one group: to the reference, then pairs of options."""
    found = {
        hospital: (outcome, summary.analysis.reference)
        for hospital, summary in summaries.items()
        for outcome in summary.outcomes
        if (outcome.family, outcome.group, outcome.name) == key
    }
    first, reference = next(iter(found.values()))
    named = {v.name: v for outcome, _ in found.values() for v in outcome.values}
    followed = [name for name in named if name != reference]
    options = [name for name in followed if named[name].kind == OPTION]
    pairs = [(name, reference) for name in followed]
    pairs += [(b, a) for a, b in itertools.combinations(options, 2)]
    pooled = []
    for name, against in pairs:
        effects, missing = [], []
        for hospital in summaries:
            result = _effect(found.get(hospital), name, against)
            if isinstance(result, str):
                missing.append((hospital, result))
            else:
                effects.append(HospitalEffect(hospital, *result))
        if effects and not _is_of_one(named[name].kind, effects):
            titles = (named[name].title, named[against].title if against in named else against)
            pooled.append(
                PooledEffect(
                    outcome=first,
                    name=name,
                    title=titles[0],
                    kind=named[name].kind,
                    against=against,
                    against_title=titles[1],
                    hospitals=tuple(effects),
                    missing=tuple(missing),
                    pooled=_pool(effects),
                )
            )
    return pooled


def _is_of_one(kind: str, effects: Sequence[HospitalEffect]) -> bool:
    """Whether it is a rule or guideline of one hospital alone, which is no matter for pooling."""
    return kind in (LEARNED, GUIDELINE) and len(effects) < 2


def _effect(
    found: tuple[SharedOutcome, str] | None, name: str, against: str
) -> tuple[float, float] | str:
    """Effect of one on the other in one hospital with its standard error; or why there is none."""
    if found is None:
        return "does not share this outcome or group"
    outcome, reference = found
    reasons = {value.name: value.reason for value in outcome.values}
    at = {effect.name: row for row, effect in enumerate(outcome.effects)}
    for one in (name, against):
        if one not in reasons:
            return "does not have it"
        if one not in at and one != reference:
            return reasons[one] or "no difference to its reference is shared"
    if not outcome.effects:
        return reasons.get(reference) or "no difference to its reference is shared"
    contrast = np.zeros(len(outcome.effects))
    for one, sign in ((name, 1.0), (against, -1.0)):
        if one in at:
            contrast[at[one]] = sign
    effect = contrast @ np.array([e.effect for e in outcome.effects])
    variance = contrast @ np.array(outcome.covariance) @ contrast
    if not variance > 0:
        return "the two do not differ"
    return float(effect), float(np.sqrt(variance))


def _pool(effects: Sequence[HospitalEffect]) -> RandomEffects | None:
    if len(effects) < 2:
        return None
    values = np.array([e.effect for e in effects])
    return pool_effects(values, np.array([e.standard_error for e in effects]))
