"""Doses that are never outside what the study allows and what five training patients were given."""

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from posology.advice.amounts import dose_words
from posology.domain.formulary import DoseRange, clip_to_range
from posology.language.catalogue import tr

SeenDoses = Mapping[str, tuple[float, float]]
"""Doses of each option beyond which fewer than five training patients had one; of the study's
single dose, under ""."""


def supported_range(allowed: DoseRange, seen: tuple[float, float] | None) -> DoseRange:
    """The allowed range, narrowed to the doses of training patients where they overlap."""
    if seen is None or seen[0] > allowed.high or seen[1] < allowed.low:
        return allowed
    low, high = seen
    return replace(
        allowed,
        low=max(allowed.low, low),
        high=min(allowed.high, high),
        open_low=allowed.open_low and low <= allowed.low,
        open_high=allowed.open_high and high >= allowed.high,
    )


def limit_dose(dose: float, supported: DoseRange) -> float:
    """The nearest dose of the range."""
    return float(clip_to_range(np.array([dose]), supported)[0])


def describe_limit(dose: float, supported: DoseRange, allowed: DoseRange, title: str) -> str:
    """A warning if the dose was more than a step outside the range; "" if it was not.

    title: of the option; "" for the study's single dose.
    """
    if supported.low - allowed.step <= dose <= supported.high + allowed.step:
        return ""
    is_above = dose > supported.high
    bound = supported.high if is_above else supported.low
    by_study = bound == (allowed.high if is_above else allowed.low)
    text = _moved_by_study(is_above) if by_study else _moved_by_training(is_above)
    unit = allowed.unit
    return text.format(dose=named_dose(title, dose, unit), bound=f"{dose_words(bound)} {unit}")


def named_dose(title: str, dose: float, unit: str) -> str:
    """The subject of a sentence: the model's dose, of an option or of the study."""
    text = tr("The model's dose, {dose} {unit},")
    if title:
        text = tr("The model's dose of “{option}”, {dose} {unit},")
    return text.format(option=title, dose=dose_words(dose), unit=unit)


def _moved_by_study(is_above: bool) -> str:
    if is_above:
        return tr("{dose} was moved to the highest that the study allows, {bound}.")
    return tr("{dose} was moved to the lowest that the study allows, {bound}.")


def _moved_by_training(is_above: bool) -> str:
    if is_above:
        return tr("{dose} was moved to {bound}: fewer than 5 training patients had more.")
    return tr("{dose} was moved to {bound}: fewer than 5 training patients had less.")


def round_dose(dose: float, allowed: DoseRange) -> float:
    """The nearest multiple of the dispensable step that lies in the range.

    Where the range holds no multiple, the nearest dose of the range.
    """
    if allowed.step <= 0:
        return limit_dose(dose, allowed)
    low, high = allowed.low / allowed.step, allowed.high / allowed.step
    least = math.floor(low) + 1 if allowed.open_low else math.ceil(low)
    most: float = high
    if math.isfinite(high):
        most = math.ceil(high) - 1 if allowed.open_high else math.floor(high)
    if least > most:
        return limit_dose(dose, allowed)
    return min(max(round(dose / allowed.step), least), most) * allowed.step
