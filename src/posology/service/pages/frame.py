"""What stands around every page: the strip of a demonstration, navigation, who is signed in."""

from collections.abc import Iterable
from dataclasses import dataclass

from posology.language.catalogue import ENGLISH, tr
from posology.service.models.served import ServedModel


@dataclass(frozen=True, slots=True)
class Frame:
    """The variables of the frame."""

    title: str
    language: str = ENGLISH
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
        one = tr("This model is not signed: {model}. Nobody has vouched for it.")
        return one.format(model=names[0])
    listed = tr("{first} and {last}").format(first=", ".join(names[:-1]), last=names[-1])
    several = tr("These models are not signed: {models}. Nobody has vouched for them.")
    return several.format(models=listed)


def describe_answering(models: Iterable[ServedModel]) -> tuple[str, ...]:
    """`Now answers: warfarin, version 065fd0432da0, signed by pharmacy.` of each model."""
    signed = tr("Now answers: {model}, version {version}, signed by {signer}.")
    unsigned = tr("Now answers: {model}, version {version}, not signed.")
    return tuple(
        (signed if model.signed_by else unsigned).format(
            model=model.name, version=model.digest[:12], signer=model.signed_by
        )
        for model in models
    )
