"""What a pooled effect means, in sentences."""

from posology.domain.statistics.study_summary import HARM
from posology.evaluation.intervals import Difference, Interval
from posology.evaluation.pooling.pool import PooledEffect
from posology.evaluation.pooling.random_effects import RandomEffects

DIFFER_P = 0.05
"""p of Cochran's test below which hospitals are said to differ; our choice."""
ALIKE, HETEROGENEOUS, ALONE = "alike", "heterogeneous", "alone"


def heterogeneity_kind(effect: PooledEffect) -> str:
    """Whether the effect differs between hospitals; `alone`: it is known of one."""
    if effect.pooled is None:
        return ALONE
    return HETEROGENEOUS if effect.pooled.q_p < DIFFER_P else ALIKE


def describe_pooled(effect: PooledEffect) -> tuple[str, ...]:
    """Which is better on average, whether hospitals differ, and what another may expect."""
    if effect.pooled is None:
        only = effect.hospitals[0].hospital
        return (f"{effect.title} against {effect.against_title}: known of {only} alone.",)
    return (
        _average(effect, effect.pooled),
        _spread(effect),
        _elsewhere(effect, effect.pooled),
    )


def _average(effect: PooledEffect, pooled: RandomEffects) -> str:
    number = len(effect.hospitals)
    side = _side(effect, pooled.mean)
    if not side:
        return (
            f"On average over {number} hospitals no difference between {effect.title} and "
            f"{effect.against_title} is shown."
        )
    return (
        f"On average over {number} hospitals {effect.title} is {side} than {effect.against_title}."
    )


def _spread(effect: PooledEffect) -> str:
    if heterogeneity_kind(effect) == HETEROGENEOUS:
        return (
            "Heterogeneous: the effect differs between the hospitals by more than chance, so that "
            "the average holds for none of them in particular."
        )
    return (
        "No difference between the hospitals is shown; "
        f"{len(effect.hospitals)} hospitals may be too few to see one."
    )


def _elsewhere(effect: PooledEffect, pooled: RandomEffects) -> str:
    if pooled.prediction is None:
        return "Two hospitals say nothing about a third."
    side = _side(effect, pooled.prediction)
    if side:
        return f"In another hospital it is expected to be {side} too."
    if _side(effect, pooled.mean):
        return "In another hospital it may be the other way round."
    return "In another hospital it may be better or worse."


def _side(effect: PooledEffect, estimate: Difference | Interval) -> str:
    """`better` or `worse` if the interval excludes 0; else empty."""
    is_harm = effect.outcome.role == HARM
    if estimate.low > 0:
        return "worse" if is_harm else "better"
    if estimate.high < 0:
        return "better" if is_harm else "worse"
    return ""
