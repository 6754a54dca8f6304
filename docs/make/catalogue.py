"""Keep the catalogue of texts current: `python -m docs.make.catalogue`.

Reads every `tr(...)`, `tr_count(...)` and `deferred(...)` of src/posology (Python and templates),
adds new texts to each language's posology.po, drops those that are gone, and compiles posology.mo,
which is what posology reads. Texts without a translation are listed with their file and line. A
test compares both files with what this makes.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po

from posology.language.catalogue import DOMAIN, ENGLISH, LANGUAGES, LOCALES

SOURCES = LOCALES.parents[1]
KEYWORDS = {"tr": None, "deferred": None, "tr_count": (1, 2)}
OPTIONS = {"**.j2": {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}}
Keywords = Mapping[str, Any]
Found = tuple[int, str, tuple[str, ...], list[str]]
TRANSLATED = tuple(language for language in LANGUAGES if language != ENGLISH)


def extract_python(
    file: BinaryIO,
    keywords: Keywords,
    tags: object,  # noqa: ARG001 - Babel passes comment tags and options
    options: object,  # noqa: ARG001
) -> Iterator[Found]:
    """The texts of a Python file; Babel's own misses those within f-strings."""
    for node in ast.walk(ast.parse(file.read())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        texts = [ast.literal_eval(one) for one in node.args if isinstance(one, ast.Constant)]
        texts = [text for text in texts if isinstance(text, str)]
        if node.func.id in keywords and texts:
            yield node.lineno, node.func.id, tuple(texts), []


METHODS = [("**.py", extract_python), ("**.j2", "jinja2.ext:babel_extract")]


def extract() -> Catalog:
    """Every text of the code, with the files that have it and the line of each."""
    catalogue = Catalog(project="posology")
    found = extract_from_dir(SOURCES, METHODS, OPTIONS, KEYWORDS)
    for file, line, text, *_ in sorted(found, key=lambda one: (one[0], one[1])):
        catalogue.add(text, locations=[(file, line)])
    return catalogue


def folder_of(language: str) -> Path:
    """Where the files of a language are."""
    return LOCALES / language / "LC_MESSAGES"


def updated(language: str, texts: Catalog) -> Catalog:
    """The language's catalogue with exactly these texts; new ones have no translation yet."""
    path = folder_of(language) / f"{DOMAIN}.po"
    known = Catalog(locale=language)
    if path.exists():
        known = read_po(BytesIO(path.read_bytes()), locale=language)
    known.update(texts, no_fuzzy_matching=True)
    known.obsolete.clear()
    return known


def as_po(catalogue: Catalog) -> bytes:
    """The catalogue as a text file: places by file, since lines move with each change."""
    out = BytesIO()
    plain = Catalog(locale=catalogue.locale)
    for message in catalogue:
        if message.id:
            places = sorted({(file, None) for file, _ in message.locations})
            plain.add(message.id, message.string, locations=places)
    write_po(out, plain, width=100, omit_header=True, include_lineno=False, sort_output=True)
    return _head(catalogue).encode() + out.getvalue()


def as_mo(catalogue: Catalog) -> bytes:
    """The catalogue as the standard library's gettext reads it."""
    out = BytesIO()
    write_mo(out, read_po(BytesIO(as_po(catalogue)), locale=catalogue.locale))
    return out.getvalue()


def have_same_texts(first: bytes, second: bytes) -> bool:
    """Whether two compiled files say the same: their heads name the minute and Babel's version."""
    one, other = (
        {(str(m.id), str(m.string)) for m in read_mo(BytesIO(content)) if m.id}
        for content in (first, second)
    )
    return one == other


def untranslated(catalogue: Catalog, texts: Catalog) -> Iterator[str]:
    """`advice/words.py:80: No answer.` of each text without a translation."""
    for message in catalogue:
        if message.id and not _is_complete(message):
            source = texts.get(message.id)
            file, line = source.locations[0] if source else ("", 0)
            yield f"{file}:{line}: {message.id}"


def _head(catalogue: Catalog) -> str:
    return (
        "# Texts that a clinician reads. Kept current by `python -m docs.make.catalogue`.\n"
        'msgid ""\nmsgstr ""\n'
        f'"Language: {catalogue.locale}\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n'
        '"Content-Transfer-Encoding: 8bit\\n"\n'
        f'"Plural-Forms: {catalogue.plural_forms}\\n"\n\n'
    )


def _is_complete(message: Message) -> bool:
    strings = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
    return bool(strings) and all(strings)


def main() -> int:
    """Write the files of each language; 1 if a text has no translation."""
    texts, missing = extract(), []
    for language in TRANSLATED:
        catalogue = updated(language, texts)
        folder_of(language).mkdir(parents=True, exist_ok=True)
        (folder_of(language) / f"{DOMAIN}.po").write_bytes(as_po(catalogue))
        compiled, content = folder_of(language) / f"{DOMAIN}.mo", as_mo(catalogue)
        if not compiled.exists() or not have_same_texts(compiled.read_bytes(), content):
            compiled.write_bytes(content)
        missing += [f"{language}: {text}" for text in untranslated(catalogue, texts)]
    sys.stdout.writelines(f"{line}\n" for line in missing)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
