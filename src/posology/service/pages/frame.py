"""What stands around every page: the strip of a demonstration, navigation, who is signed in."""

from dataclasses import dataclass


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
    footer: tuple[str, ...] = ()
    print_file: str = ""
    """Address of the style sheet with the line on every printed sheet."""
