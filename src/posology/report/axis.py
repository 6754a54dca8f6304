"""Round numbers for the axis of a small picture."""

import math


def axis_ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers within the limits."""
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    step *= next(f for f in (1, 2, 5, 10) if (high - low) / (f * step) <= 5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def tick_label(tick: float) -> str:
    """A number written out: thousands are marked, a minus sign is no hyphen."""
    return f"{tick:,.10g}".replace("-", "\u2212")
