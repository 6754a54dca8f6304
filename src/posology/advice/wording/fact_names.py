"""Names of facts that posology gives itself; all others are the study's or the records'."""

from posology.language.catalogue import ENGLISH, current_language, deferred, tr

_OWN = frozenset(
    {
        deferred("age"),
        deferred("sex"),
        deferred("weight"),
        deferred("height"),
        deferred("birth"),
        deferred("not known"),
    }
)
_ANSWERS = (deferred("yes"), deferred("no"), deferred("male"), deferred("female"))
"""With what the name of a code may end: `drug amiodarone: no`."""
_UNITS = (deferred("decades"), deferred("years"))
"""With what the name of a number may end, beside units of measure: `age, decades`."""


def beyond_words(is_above: bool) -> str:
    """The sentence on a fact beyond what fewer than five training patients had."""
    if is_above:
        return tr("{fact} is above {bound}; fewer than 5 training patients had more.")
    return tr("{fact} is below {bound}; fewer than 5 training patients had less.")


def fact_name(name: str) -> str:
    """The name in the language of the answer, as far as posology gave it."""
    if current_language() == ENGLISH:
        return name
    if name in _OWN or name in _ANSWERS:
        return tr(name)
    head, _, answer = name.rpartition(": ")
    if head and answer in _ANSWERS:
        return f"{fact_name(head)}: {tr(answer)}"
    head, _, unit = name.rpartition(", ")
    if head in _OWN:
        return f"{tr(head)}, {tr(unit) if unit in _UNITS else unit}"
    return name
