"""Templates of the service, beside those of the reports: the patient's page is shared."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from posology import report
from posology.language.catalogue import tr, tr_count
from posology.report.patient.words import date_words
from posology.service.pages.stylesheet import stylesheet_name


def render(template: str, variables: Mapping[str, object]) -> str:
    """The HTML of a page; every value is escaped."""
    shared = {"css_file": stylesheet_name()}
    return _environment().get_template(template).render({**shared, **variables})


@cache
def _environment() -> Environment:
    """Templates are compiled once a process."""
    folders = (Path(__file__).parent / "templates", Path(report.__file__).parent)
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["date"] = date_words
    functions: Any = environment.globals  # typed as Jinja's own functions only
    functions["tr"], functions["tr_count"] = tr, tr_count
    return environment
