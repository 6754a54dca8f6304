"""The report on effects: one HTML file that needs no network and no script."""

from pathlib import Path

from posology.report.effects.content import EffectContent
from posology.report.effects.view import view
from posology.report.html import fill_template

_TEMPLATE = "effects/page.html.j2"


def write_effect_report(content: EffectContent, path: Path) -> None:
    """Write the report as one UTF-8 file, making its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(content), encoding="utf-8")


def render(content: EffectContent) -> str:
    """The report's HTML; the same content gives the same bytes."""
    return fill_template(_TEMPLATE, view(content))
