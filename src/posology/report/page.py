"""The report: one HTML file that needs no network and no script."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from posology.report.content import ReportContent
from posology.report.view import view

_TEMPLATE = "page.html.j2"


def write_report(content: ReportContent, path: Path) -> None:
    """Write the report as one UTF-8 file, making its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(content), encoding="utf-8")


def render(content: ReportContent) -> str:
    """The report's HTML; the same content gives the same bytes."""
    return filled(_TEMPLATE, view(content))


def filled(template: str, variables: dict[str, Any]) -> str:
    """A template of this folder, every value escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(variables)
