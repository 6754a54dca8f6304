"""How a text table is written: its encoding and its delimiter, stated or detected."""

import codecs
import csv
import io
import logging
import re
import zlib
from dataclasses import dataclass
from functools import lru_cache
from gzip import BadGzipFile
from pathlib import Path

from posology.errors import RecordError
from posology.records.io.text_lines import bounded_texts, decompressed

_log = logging.getLogger(__name__)

SAMPLE = 1 << 20
"""Bytes from which encoding and delimiter are detected (our choice)."""
DELIMITERS = (",", ";", "\t", "|")
SINGLE_BYTE = ("cp1252", "cp1250", "iso8859_2")
"""Encodings of Western and Central Europe that are told apart, the most frequent first."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text table is written."""

    encoding: str = "utf-8"
    delimiter: str = ","

    def __str__(self) -> str:
        name = {"\t": "tabs", ",": "commas", ";": "semicolons"}.get(
            self.delimiter, repr(self.delimiter)
        )
        return f"{self.encoding}, separated by {name}"


def find_dialect(path: Path, encoding: str | None = None, delimiter: str | None = None) -> Dialect:
    """The dialect of a table: what is stated, and what a sample shows of the rest."""
    if path.suffix == ".parquet":
        return Dialect()
    sample = _sample(path)
    found = Dialect(encoding or detect_encoding(sample))
    text = sample.decode(found.encoding, "replace")
    found = Dialect(found.encoding, delimiter or detect_delimiter(text, path))
    if found.encoding not in ("utf-8", "utf-8-sig") or found.delimiter not in (",", "\t"):
        _announce(str(path), found)
    return found


def find_joined_dialect(path: Path, encoding: str | None, delimiter: str | None) -> Dialect:
    """The dialect of a table that is joined to one whose dialect is stated.

    The joined one may differ: UTF-8 is recognised, and a delimiter that its first line lacks is
    not used.
    """
    if path.suffix == ".parquet":
        return Dialect()
    sample = _sample(path)
    own = detect_encoding(sample)
    encoding = own if own.startswith("utf") else encoding
    first = sample.decode(encoding or own, "replace").splitlines()[:1]
    return find_dialect(path, encoding, delimiter if (delimiter or "") in "".join(first) else None)


def _sample(path: Path) -> bytes:
    """The beginning of a file, unpacked; RecordError if it cannot be read."""
    try:
        with path.open("rb") as raw:
            return decompressed(raw).read(SAMPLE)
    except (EOFError, zlib.error, BadGzipFile) as error:
        raise RecordError(f"{path}: the file is damaged ({error})") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error


@lru_cache
def _announce(path: str, dialect: Dialect) -> None:
    """Name, once a process, what was detected or stated."""
    _log.info("%s: read as %s", path, dialect)


def detect_encoding(sample: bytes) -> str:
    """UTF-8 (or UTF-16 by its mark) if the sample is valid; else the likeliest of SINGLE_BYTE."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
        return "utf-8"
    except UnicodeDecodeError:
        return max(SINGLE_BYTE, key=lambda name: _plausibility(sample, name))


def _plausibility(sample: bytes, encoding: str) -> int:
    """Letters among the characters beyond ASCII, less the others; controls count most."""
    total = 0
    for character in sample.decode(encoding, "replace"):
        if character > "\x7f":
            if character.isalpha():
                total += 1
            else:
                total -= 1 if character.isprintable() and character != "\ufffd" else 10
    return total


def detect_delimiter(text: str, path: Path) -> str:
    """The delimiter that cuts the first lines into equally many cells; a comma if none does."""
    if ".tsv" in path.name.lower():
        return "\t"
    lines = [line[:100_000] for line in re.split("\r\n|\r|\n", text, maxsplit=20)[:20]]
    best, most = ",", 1
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        except csv.Error:  # a cell beyond csv's limit, a NUL: no sample to judge by
            continue
        if widths and widths[0] > most and widths.count(widths[0]) > len(widths) / 2:
            best, most = delimiter, widths[0]
    return best


def as_utf8(path: Path, dialect: Dialect, folder: Path) -> Path:
    """The file itself if it is UTF-8; otherwise a copy in UTF-8."""
    if dialect.encoding in ("utf-8", "utf-8-sig") or path.suffix == ".parquet":
        return path
    copy = folder / f"{path.name.split('.')[0]}.utf8.csv"
    try:
        with path.open("rb") as raw, copy.open("w", encoding="utf-8", newline="") as out:
            text = io.TextIOWrapper(decompressed(raw), dialect.encoding, "strict", newline="")
            for line in bounded_texts(text):
                out.write(line)
    except UnicodeDecodeError as error:
        raise RecordError(
            f"{path}: is not {dialect.encoding} (byte {error.start}); set `encoding` in the mapping"
        ) from error
    except (csv.Error, EOFError, zlib.error, BadGzipFile) as error:
        raise RecordError(f"{path}: the file is damaged ({error})") from error
    return copy
