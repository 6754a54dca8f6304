"""Which numbers of a fact can be right, and which the model has seen."""

import math
from collections.abc import Callable
from statistics import NormalDist

from posology.advice.form.field import Limits
from posology.advice.form.training_facts import BEHIND, TrainingFacts
from posology.domain.codes import given_name, has_prefix
from posology.domain.profile import Profile
from posology.domain.study import Study
from posology.records.pipeline.units import height_limits, plausible_limits

AGE = Limits(0.0, 120.0)
"""Years; our choice (the oldest person on record lived to 122)."""


def seen_limits(facts: TrainingFacts | None, row: int) -> Limits:
    """Numbers of a code beyond which fewer than five training patients had one."""
    return Limits() if facts is None else Limits(facts.low[row], facts.high[row])


def training_range(facts: TrainingFacts | None, row: int) -> Limits:
    """Where the smallest and the largest number of a code in training may lie.

    As far beyond `seen_limits` as in a normal sample of as many patients (its expected order
    statistics: Blom 1958), in logarithms where all are above 0; never below 0 if none was.
    """
    seen = seen_limits(facts, row)
    if facts is None or not facts.patients or seen.low is None or seen.high is None:
        return seen
    low, high = seen.low, seen.high
    fifth, last = (_normal_rank(rank, facts.patients[row]) for rank in (BEHIND, 1))
    beyond = (last / fifth - 1) / 2
    if low > 0:
        factor = (high / low) ** beyond
        return Limits(low / factor, high * factor)
    width = beyond * (high - low)
    return Limits(low - width if low < 0 else 0.0, high + width)


def _normal_rank(rank: int, size: int) -> float:
    return NormalDist().inv_cdf((rank - 0.375) / (size + 0.25))


def usual_range(profile: Profile, row: int) -> Limits:
    """Four standard deviations around the mean, where the range in training was not kept."""
    center, spread = float(profile.center[row]), float(profile.spread[row])
    if (center, spread) in ((0.0, 1.0), (0.0, 2.0)):
        return Limits()
    return Limits(max(center - 4 * spread, center / 4), center + 4 * spread)


def number_limits(study: Study, code: str, unit: str, seen: Limits) -> Limits:
    """Limits beyond which a number of the code cannot be right.

    Those of the study file; else the code book's and `spread_limits`, whichever are narrower.

    seen: where the numbers of training lie; one number alone says nothing of others.
    """
    own = [r for r in study.profile.limits if any(has_prefix(code, c) for c in r.codes)]
    if own:
        return Limits(own[-1].bounds.at_least, own[-1].bounds.at_most)
    book = _book_limits(study, code, unit)
    if seen.low is None or seen.high is None or seen.low == seen.high:
        return book
    if not (book.contains(seen.low) and book.contains(seen.high)):
        book = Limits()
    spread = spread_limits(seen.low, seen.high)
    lows = [x for x in (book.low, spread.low) if x is not None]
    highs = [x for x in (book.high, spread.high) if x is not None]
    return Limits(max(lows), min(highs))


def _book_limits(study: Study, code: str, unit: str) -> Limits:
    book_unit, low, high = plausible_limits(code)
    if book_unit is None:
        name = given_name(code, study.names).partition(", ")[0]
        return Limits(*height_limits(name or code, unit))
    return Limits(low, high) if book_unit == unit else Limits()


def spread_limits(low: float, high: float) -> Limits:
    """Limits from the smallest and largest number in training; our choice.

    Positive numbers: both divided or multiplied by 2, or by the square root of their ratio if that
    is more, so that a pressure in kPa is not taken for one in mmHg. Others: as far beyond the range
    as it is wide, but never below 0 if none was.
    """
    if low > 0:
        factor = max(2.0, math.sqrt(high / low))
        return Limits(_rounded(low / factor, math.floor), _rounded(high * factor, math.ceil))
    width = max(high - low, abs(high), abs(low))
    least = 0.0 if low >= 0 else _rounded(low - width, math.floor)
    return Limits(least, _rounded(high + width, math.ceil))


def _rounded(bound: float, away: Callable[[float], int]) -> float:
    """Two digits, away from what training had."""
    if bound == 0:
        return 0.0
    size = 10.0 ** (math.floor(math.log10(abs(bound))) - 1)
    return float(f"{away(bound / size) * size:.2g}")
