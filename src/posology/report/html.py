"""Jinja templates filled in: one HTML file that needs no network and no script."""

from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from posology.language.catalogue import tr
from posology.records.io.drafts import write_whole


def render_template(template: str, page: Any) -> str:
    """The HTML of a page; every value is escaped.

    Args:
        template: path relative to the report folder.
        page: a dataclass whose fields are the template's variables.
    """
    variables = {field.name: getattr(page, field.name) for field in fields(page)}
    return _environment().get_template(template).render(variables)


@cache
def _environment() -> Environment:
    """Templates are compiled once a process."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions: Any = environment.globals  # typed as Jinja's own functions only
    functions["tr"] = tr
    return environment


def write_html(html: str, path: Path) -> None:
    """Write a UTF-8 file, and create its folder if it does not exist."""
    write_whole(path, html)
