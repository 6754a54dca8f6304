"""Every text of the code has a German translation, and its files are current."""

import re
import string
from pathlib import Path

import pytest

from posology.language.catalogue import GERMAN

pytest.importorskip("babel", reason="pip install babel")
from babel.messages.catalog import Catalog

from docs.make import catalogue as made

TEXTS = made.extract()


def names(text: str) -> set[str]:
    """The named places of a text; an unnamed one or a format is not allowed."""
    fields = [name for _, name, spec, _ in string.Formatter().parse(text) if name is not None]
    assert all(re.fullmatch(r"[a-z_]+", name) for name in fields), text
    return set(fields)


@pytest.fixture(scope="module")
def german() -> Catalog:
    return made.updated(GERMAN, TEXTS)


def test_every_text_is_translated(german: Catalog) -> None:
    missing = list(made.untranslated(german, TEXTS))
    assert missing == [], "run `python -m docs.make.catalogue`, and translate in posology.po"


def test_the_files_are_those_that_the_code_needs(german: Catalog) -> None:
    folder, old = made.folder_of(GERMAN), "is old: run `python -m docs.make.catalogue`"
    assert (folder / "posology.po").read_bytes() == made.as_po(german), f"posology.po {old}"
    compiled = (folder / "posology.mo").read_bytes()
    assert made.have_same_texts(compiled, made.as_mo(german)), f"posology.mo {old}"


def test_a_compiled_file_that_says_something_else_is_noticed(german: Catalog) -> None:
    other = made.updated(GERMAN, TEXTS)
    other["Usual care"].string = "Standardtherapie"
    assert not made.have_same_texts(made.as_mo(german), made.as_mo(other))


def test_a_translation_has_the_places_of_its_text(german: Catalog) -> None:
    for message in german:
        texts = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        for text, translated in zip(texts, strings, strict=True):
            assert names(translated) == names(text), f"{text!r}: {translated!r}"
            ends = [one[-1:] in ".:,!?" and one[-1:] for one in (text, translated)]
            assert (ends[0] == ".") == (ends[1] == "."), f"{text!r}: {translated!r}"


def test_a_text_without_a_translation_is_named_with_its_file_and_line() -> None:
    texts = Catalog()
    texts.add("A new text.", locations=[("advice/words.py", 7)])
    german = made.updated(GERMAN, texts)
    assert list(made.untranslated(german, texts)) == ["advice/words.py:7: A new text."]


def test_texts_are_found_in_functions_f_strings_and_templates(tmp_path: Path) -> None:
    code = b"x = tr('One {a}.')\ny = f\"{tr('Two')}\"\nz = tr_count('a', 'b', 2)\nw = other('No')\n"
    path = tmp_path / "code.py"
    path.write_bytes(code)
    with path.open("rb") as file:
        found = {text for _, _, text, _ in made.extract_python(file, made.KEYWORDS, (), {})}
    assert found == {("One {a}.",), ("Two",), ("a", "b")}
    assert "report/patient/page.html.j2" in {file for m in TEXTS for file, _ in m.locations}


def test_no_line_of_german_ends_within_a_percentage(german: Catalog) -> None:
    """A browser breaks `95-%-Bereich` after its first hyphen, not after U+2011."""
    strings = [s for m in german for s in (m.string if isinstance(m.string, tuple) else [m.string])]
    assert [text for text in strings if re.search(r"\d-%", text)] == []
    assert any("95\N{NON-BREAKING HYPHEN}%-Bereich" in text for text in strings)
