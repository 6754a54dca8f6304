"""Lines of a text file, plain or gzipped, however damaged."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from io import BufferedIOBase, BufferedReader
from pathlib import Path

from posology.errors import RecordError
from posology.records.batching import Refusal

_GZIP = b"\x1f\x8b"
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


def read_lines(path: Path) -> Iterator[tuple[int, bytes | Refusal]]:
    """Each line with its number from 1; where the file breaks off, a refusal as the last."""
    number = 0
    try:
        with path.open("rb") as raw:
            for line in _unpacked(raw):
                number += 1
                yield number, line
    except _DAMAGED as error:
        yield number + 1, _broken(error)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_whole(path: Path) -> tuple[bytes, Refusal | None]:
    """All that can be read of a file, and where it breaks off, why."""
    pieces: list[bytes] = []
    try:
        with path.open("rb") as raw:
            stream = _unpacked(raw)
            while piece := stream.read(1 << 20):
                pieces.append(piece)
    except _DAMAGED as error:
        return b"".join(pieces), _broken(error)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error
    return b"".join(pieces), None


def _unpacked(raw: BufferedReader) -> BufferedIOBase:
    packed = raw.read(2) == _GZIP
    raw.seek(0)
    return gzip.GzipFile(fileobj=raw) if packed else raw


def _broken(error: Exception) -> Refusal:
    reason = f"the gzip stream is damaged here ({error}); what follows is not in the file"
    return Refusal("file", "", reason)


def files_of(paths: Iterable[str | Path], endings: tuple[str, ...]) -> list[Path]:
    """The files named, and those with one of the endings in the folders named, in order of name."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = [p for p in path.rglob("*") if p.name.lower().endswith(endings)]
            inside = sorted(p for p in inside if p.is_file())
            if not inside:
                raise RecordError(f"{path}: no file ends in {', '.join(endings)}")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise RecordError(f"{path}: there is no such file or folder")
    return found
