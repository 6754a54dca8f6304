"""Lines of a text file, plain or gzipped, however damaged."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from posology.errors import RecordError
from posology.records.rows import Refusal

_GZIP = b"\x1f\x8b"


def read_lines(path: Path) -> Iterator[tuple[int, bytes | Refusal]]:
    """Each line with its number from 1; where the file breaks off, a refusal as the last."""
    number = 0
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            stream: Iterable[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw
            for line in stream:
                number += 1
                yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        reason = f"the gzip stream is damaged here ({error}); what follows is not in the file"
        yield number + 1, Refusal("file", "", reason)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}") from error


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
