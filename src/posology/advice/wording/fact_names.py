"""Names of facts that posology gives itself; all others are the study's or the records'."""

from posology.language.catalogue import deferred, tr

_OWN = frozenset(
    {deferred("age"), deferred("sex"), deferred("weight"), deferred("height"), deferred("birth")}
)


def fact_name(name: str) -> str:
    """The name in the language of the answer, if posology gave it."""
    return tr(name) if name in _OWN else name
