"""A figure as a page holds it; those who only show it need not load what draws it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InlineFigure:
    """One figure of a page."""

    svg: str
    """An escaped SVG element."""
    caption: str
