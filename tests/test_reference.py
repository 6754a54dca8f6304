"""Pages that are written from the code are current."""

import pytest

from docs.make.reference import DOCS, PAGES, commands_page
from posology.cli import app


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    page = (DOCS / name).read_text(encoding="utf-8")
    assert page == PAGES[name](), f"docs/{name} is old: run `python -m docs.make.reference`"


def test_every_command_has_a_section() -> None:
    page = commands_page()
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"\n## `posology {command.callback.__name__}`\n" in page
    for group in ("serve run", "models", "safety", "outcomes"):
        assert f"\n## `posology {group}" in page
