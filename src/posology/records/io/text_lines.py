"""Read text files, plain or gzipped, even if they are damaged."""

import csv
import gzip
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from io import BufferedReader, TextIOWrapper
from pathlib import Path

from posology.errors import RecordError
from posology.records.schema import Rejection

_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


LINE_LIMIT: ContextVar[int] = ContextVar("line_limit", default=32_000_000)
"""Bytes of the longest line that is read (own choice; notes of 10 MB exist)."""
DOCUMENT_LINES = 16
"""A whole document, such as a Bundle, may have this many times LINE_LIMIT (own choice)."""


@contextmanager
def line_limit(size: int) -> Generator[None]:
    """Read lines of at most `size` bytes within the block."""
    token = LINE_LIMIT.set(size)
    try:
        yield
    finally:
        LINE_LIMIT.reset(token)


def too_long(limit: int) -> str:
    """Why a line of more bytes is rejected."""
    return f"is longer than {limit:,} bytes; read it with a larger --max-line"


def _bounded_lines(stream: BufferedReader | gzip.GzipFile) -> Iterator[bytes | Rejection]:
    """The lines; of one that is too long, the rest is skipped, never held in memory."""
    limit = LINE_LIMIT.get()
    while line := stream.readline(limit + 1):
        if len(line) <= limit:
            yield line
            continue
        while not line.endswith(b"\n") and (line := stream.readline(1 << 20)):
            pass
        yield Rejection("line", "", too_long(limit))


def find_long_lines(path: Path) -> list[int]:
    """Numbers from 1 of the lines that are longer than LINE_LIMIT, their ends included.

    A gzipped file is read to its end, which compares its checksum: DuckDB does not.
    """
    limit = LINE_LIMIT.get()
    with path.open("rb") as raw:
        if not is_gzipped(raw) and path.stat().st_size <= limit:
            return []
        found, line, begun = [], 1, 0
        stream = decompressed(raw)
        while piece := stream.read(min(limit, 1 << 24)):  # a line within it is short enough
            first = piece.find(b"\n")
            if first < 0:
                begun += len(piece)
                continue
            if begun + first + 1 > limit:
                found.append(line)
            line += piece.count(b"\n")
            begun = len(piece) - piece.rfind(b"\n") - 1
    return [*found, line] if begun > limit else found


def bounded_texts(stream: TextIOWrapper) -> Iterator[str]:
    """The lines for `csv.reader`; csv.Error at one that is too long."""
    limit = LINE_LIMIT.get()
    while line := stream.readline(limit + 1):
        if len(line) > limit:
            raise csv.Error(f"a line {too_long(limit)}")
        yield line


def read_lines(path: Path) -> Iterator[tuple[int, bytes | Rejection]]:
    """Each line with its number from 1, without a byte order mark.

    If the file is cut off, the last item is a rejection.
    """
    number = 0
    try:
        with path.open("rb") as raw:
            for line in _bounded_lines(decompressed(raw)):
                number += 1
                if number == 1 and isinstance(line, bytes):
                    line = line.removeprefix(_BYTE_ORDER_MARK)
                yield number, line
    except _DAMAGED as error:
        yield number + 1, _damage(error)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_bytes(path: Path) -> tuple[bytes, Rejection | None]:
    """All that can be read of a file, and a rejection if it is cut off; no byte order mark."""
    pieces: list[bytes] = []
    size, limit = 0, DOCUMENT_LINES * LINE_LIMIT.get()
    try:
        with path.open("rb") as raw:
            stream = decompressed(raw)
            while piece := stream.read(1 << 20):
                size += len(piece)
                if size > limit:
                    return b"", Rejection("file", "", f"a document {too_long(limit)}")
                pieces.append(piece)
    except _DAMAGED as error:
        return b"".join(pieces), _damage(error)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error
    return b"".join(pieces).removeprefix(_BYTE_ORDER_MARK), None


def decompressed(raw: BufferedReader) -> BufferedReader | gzip.GzipFile:
    """The content of an open file, unzipped if it is gzipped."""
    gzipped = is_gzipped(raw)
    return gzip.GzipFile(fileobj=raw) if gzipped else raw


def is_gzipped(raw: BufferedReader) -> bool:
    """Whether an open file begins as gzip does; leaves it at its start."""
    gzipped = raw.read(2) == _GZIP_MAGIC
    raw.seek(0)
    return gzipped


def _damage(error: Exception) -> Rejection:
    reason = f"the gzip stream is damaged here ({error}); what follows is not in the file"
    return Rejection("file", "", reason)


def other_files(paths: Iterable[str | Path], extensions: tuple[str, ...]) -> list[Path]:
    """The files of the folders among the paths that `list_files` leaves out, sorted."""
    inside = (file for path in map(Path, paths) if path.is_dir() for file in path.rglob("*"))
    return sorted(f for f in inside if f.is_file() and not f.name.lower().endswith(extensions))


def list_files(paths: Iterable[str | Path], extensions: tuple[str, ...]) -> list[Path]:
    """The named files, and in named folders all files with one of the extensions, sorted."""
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = [p for p in path.rglob("*") if p.name.lower().endswith(extensions)]
            inside = sorted(p for p in inside if p.is_file())
            if not inside:
                raise RecordError(f"{path}: no file ends in {', '.join(extensions)}")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise RecordError(f"{path}: there is no such file or folder")
    return files
