"""The language of a reader, of those that are offered."""

from collections.abc import Sequence


def choose_language(accepted: str, offered: Sequence[str]) -> str:
    """The offered language that a reader likes best; the first one where none is liked.

    Args:
        accepted: a header `Accept-Language`, such as `de-CH,de;q=0.9,en;q=0.8` (RFC 9110,
            section 12.5.4). What cannot be read of it counts for nothing.
    """
    weights = {}
    for item in accepted.split(","):
        tag, _, parameter = item.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in offered:
            weights[language] = max(weights.get(language, 0.0), _weight(parameter))
    best = max(weights, key=lambda one: weights[one], default=offered[0])
    return best if weights.get(best, 0.0) > 0 else offered[0]


def _weight(parameter: str) -> float:
    """Of `q=0.8`; 1 where there is none, 0 where it is no number of 0 to 1."""
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip().lower() == "q" and 0 <= weight <= 1 else 0.0
