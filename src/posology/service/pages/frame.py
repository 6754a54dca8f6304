"""What stands around every page: the strip of a demonstration, navigation, who is signed in."""

from collections.abc import Iterable
from dataclasses import dataclass

from posology.service.models.served import ServedModel


@dataclass(frozen=True, slots=True)
class Frame:
    """The variables of the frame."""

    title: str
    here: str = ""
    """Which entry of the navigation is current: `worklist`, `model`, `monitoring`, `people`."""
    person: str = ""
    """Empty: nobody is signed in, and there is no navigation."""
    roles: str = ""
    """Of the person, in words."""
    links: tuple[tuple[str, str, str], ...] = ()
    """Name, address and title of the navigation's entries, those that this person may open."""
    csrf: str = ""
    is_demo: bool = False
    is_embedded: bool = False
    """Within a record system: it shows who is signed in, so the page does not."""
    unsigned: str = ""
    """That a model which answers is not signed, and what that means; empty if all are."""
    footer: tuple[str, ...] = ()
    """Which model answers, in which version, and who signed it."""
    print_file: str = ""
    """Address of the style sheet with the line on every printed sheet."""


def describe_unsigned(models: Iterable[ServedModel]) -> str:
    """That models are not signed, in plain words; empty if all are."""
    names = [model.name for model in models if not model.signed_by]
    if not names:
        return ""
    if len(names) == 1:
        return f"This model is not signed: {names[0]}. Nobody has vouched for it."
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"These models are not signed: {listed}. Nobody has vouched for them."


def describe_answering(models: Iterable[ServedModel]) -> tuple[str, ...]:
    """`Now answers: warfarin, version 065fd0432da0, signed by pharmacy.` of each model."""
    return tuple(
        f"Now answers: {model.name}, version {model.digest[:12]}, "
        f"{f'signed by {model.signed_by}' if model.signed_by else 'not signed'}."
        for model in models
    )
