"""A result is written whole or not at all: what was there before stays."""

import resource
import signal
import stat
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from posology.records.io.drafts import draft_file, write_secret, write_whole
from posology.report.html import write_html


@contextmanager
def full_disk(size: int) -> Generator[None]:
    """No file of this process may grow beyond so many bytes within the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_on_a_full_disk_the_earlier_result_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    write_html("<html>old</html>", path)
    with full_disk(1_000), pytest.raises(OSError, match="File too large"):
        write_html("<html>" + "x" * 5_000, path)
    assert path.read_text() == "<html>old</html>"
    assert list(path.parent.iterdir()) == [path]


def test_the_mode_of_a_file_and_links_stay(tmp_path: Path) -> None:
    path, link = tmp_path / "a.json", tmp_path / "link.json"
    path.write_text("old")
    path.chmod(0o600)
    link.symlink_to(path)
    write_whole(link, "new")
    assert (link.is_symlink(), path.read_text()) == (True, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "link.json"]


def test_of_two_writers_at_once_each_writes_its_own_draft(tmp_path: Path) -> None:
    path, other = tmp_path / "a.json", tmp_path / "other"
    other.write_text("somebody's")
    (tmp_path / ".a.json.draft").symlink_to(other)
    with draft_file(path) as first:
        first.write_text("first")
        write_whole(path, "second")
        assert first.read_text() == "first"
    assert (path.read_text(), other.read_text()) == ("first", "somebody's")


def test_a_file_written_in_parts_is_seen_when_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.ndjson"
    with draft_file(path) as draft:
        draft.write_text("old")
        assert not path.exists()
    with full_disk(3), pytest.raises(OSError, match="File too large"), draft_file(path) as draft:
        draft.write_text("half")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_secret_is_for_its_owner_whole_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "k.key"
    with full_disk(3), pytest.raises(OSError, match="File too large"):
        write_secret(path, b"secret")
    assert list(tmp_path.iterdir()) == []
    write_secret(path, b"secret")
    with pytest.raises(FileExistsError):
        write_secret(path, b"other")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"secret", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_writers_at_once_never_take_a_draft_of_another(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    texts = [str(number) * 100 for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_whole(path, text), texts))
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_written_to() -> None:
    write_whole(Path("/dev/null"), "new")
    assert not Path("/dev/null").is_file()
