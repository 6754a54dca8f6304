"""One style sheet, small, and nothing on a page that a strict policy would block."""

import re
from pathlib import Path

from posology.service.pages import stylesheet as module
from posology.service.pages.stylesheet import MOST_BYTES, print_stamp, stylesheet

TEMPLATES = sorted((Path(module.__file__).parent / "templates").glob("*.j2"))


def test_the_style_sheet_is_small_and_loads_nothing() -> None:
    text = stylesheet()
    assert len(text.encode()) < MOST_BYTES
    assert text.count("{") == text.count("}")
    assert "STAMP" not in text
    assert not re.search(r"url\(|@import|@font-face|expression", text)


def test_templates_have_no_style_and_no_script_of_their_own() -> None:
    assert len(TEMPLATES) > 10
    for template in TEMPLATES:
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://", text), template.name


def test_what_is_printed_on_every_sheet_cannot_leave_its_string() -> None:
    text = print_stamp('SAMPLE"; } body { display: none } \\ </style>')
    assert text.count('"') == 2
    assert text.count("{") == 2
    assert "<" not in text
