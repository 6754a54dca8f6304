"""Titles of options that are not the study's own, and how a title stands within a sentence."""

from posology.language.catalogue import ENGLISH, current_language, deferred, tr

USUAL_CARE, NO_CHANGE = deferred("Usual care"), deferred("No change")
MIX = deferred("The trial's mix of options")
_INSIDE = ((USUAL_CARE, deferred("usual care")), (NO_CHANGE, deferred("no change")))


def small_first(text: str) -> str:
    """A sentence as it goes on after a colon: its first letter small, in English.

    German nouns keep their capital, and which words are nouns is not known.
    """
    return f"{text[:1].lower()}{text[1:]}" if current_language() == ENGLISH else text


def inside_sentence(title: str) -> str:
    """The title of an option within a sentence; the study's own stay as they are."""
    return next((tr(small) for large, small in _INSIDE if title == tr(large)), title)
