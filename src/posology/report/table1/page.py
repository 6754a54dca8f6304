"""The report: one HTML file that needs no network and no script."""

from pathlib import Path

from posology.report.html import fill_template
from posology.report.table1.content import ReportContent
from posology.report.table1.view import view

_TEMPLATE = "table1/page.html.j2"


def write_report(content: ReportContent, path: Path) -> None:
    """Write the report as one UTF-8 file, making its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(content), encoding="utf-8")


def render(content: ReportContent) -> str:
    """The report's HTML; the same content gives the same bytes."""
    return fill_template(_TEMPLATE, view(content))
