"""Names of facts that posology gives itself; all others are the study's or the records'."""

from posology.language.catalogue import deferred, tr

_OWN = frozenset(
    {deferred("age"), deferred("sex"), deferred("weight"), deferred("height"), deferred("birth")}
)


def beyond_words(is_above: bool) -> str:
    """The sentence on a fact beyond all that training patients had."""
    if is_above:
        return tr("{fact} is above the highest the model saw, {bound}.")
    return tr("{fact} is below the lowest the model saw, {bound}.")


def fact_name(name: str) -> str:
    """The name in the language of the answer, if posology gave it."""
    return tr(name) if name in _OWN else name
