"""Sex in other words than the records': short forms, and German."""

from posology.advice.form.field import normalise

SEX_WORDS = (
    frozenset({"f", "female", "w", "woman", "girl", "weiblich", "frau"}),
    frozenset({"m", "male", "man", "boy", "männlich", "maennlich", "mann"}),
    frozenset({"d", "divers", "diverse", "x", "other", "intersex", "non-binary", "nonbinary"}),
)
"""Those of one set mean the same."""


def words_of_sex(text: str) -> frozenset[str]:
    """Every word that means the same as the text; empty if it is none of them."""
    return next((words for words in SEX_WORDS if normalise(text) in words), frozenset())
