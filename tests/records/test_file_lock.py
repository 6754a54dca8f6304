"""One process at a time holds a lock, also where only Windows' way of locking is there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from posology.errors import RecordError
from posology.records import file_lock
from posology.records.file_lock import lock_file
from posology.records.io import atomic_replace
from posology.records.io.drafts import draft_folder
from posology.records.io.memory import peak_memory

SOURCES = Path(__file__).parents[2] / "src" / "posology"


class Windows:
    """msvcrt's locking, of this process: a byte that is locked cannot be locked again."""

    LK_NBLCK, LK_UNLCK = 2, 0

    def __init__(self) -> None:
        self.held: set[int] = set()
        self.refusals = 0

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert count == 1
        file = os.fstat(descriptor).st_ino
        if mode == self.LK_UNLCK:
            self.held.remove(file)
        elif file in self.held:
            self.refusals += 1
            raise PermissionError(13, "Permission denied")
        else:
            self.held.add(file)


@pytest.fixture
def windows(monkeypatch) -> Windows:
    fake = Windows()
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(sys, "platform", "win32")
    return fake


def check_exclusion(path: Path) -> None:
    with lock_file(path), pytest.raises(BlockingIOError), lock_file(path, waits=False):
        raise AssertionError("two hold the lock")
    with lock_file(path, waits=False):
        pass
    assert path.exists()


def test_one_holds_the_lock(tmp_path) -> None:
    check_exclusion(tmp_path / "lock")


def test_one_holds_the_lock_on_windows(tmp_path, windows) -> None:
    check_exclusion(tmp_path / "lock")
    assert windows.refusals == 1


def test_on_windows_a_second_run_waits_until_the_first_ends(tmp_path, windows, monkeypatch) -> None:
    first = lock_file(tmp_path / "lock")
    first.__enter__()
    monkeypatch.setattr(file_lock.time, "sleep", lambda _seconds: first.__exit__(None, None, None))
    with lock_file(tmp_path / "lock"):
        assert windows.refusals == 1


def test_on_windows_a_folder_is_replaced_by_renaming(tmp_path, windows) -> None:
    folder = tmp_path / "events"
    for text in ("old", "new"):
        with atomic_replace.atomic_replace(folder) as new:
            (new / "a.txt").write_text(text)
    assert (folder / "a.txt").read_text() == "new"
    with (
        atomic_replace.atomic_replace(folder),
        pytest.raises(RecordError, match="is being written by another run; wait for it"),
        atomic_replace.atomic_replace(folder),
    ):
        raise AssertionError("two write the folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".events.lock", "events"]


def test_on_windows_drafts_and_memory_need_nothing_of_posix(tmp_path, windows) -> None:
    with draft_folder(tmp_path / "model") as draft:
        (draft / "whole").mkdir()
        with draft_folder(tmp_path / "model"):
            assert draft.exists(), "the draft of a running process was removed"
        (draft / "whole").rename(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert peak_memory() >= 0


def test_nothing_imports_what_only_posix_has() -> None:
    top = re.compile(
        r"^(?:import|from) (?:fcntl|resource|pwd|grp|termios|tty|pty|syslog|posix)\b", re.MULTILINE
    )
    names = [
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if top.search(path.read_text(encoding="utf-8"))
    ]
    assert names == []
    used = re.compile(r"os\.(?:setsid|fork|killpg|getuid|geteuid|rename)\(|SIGKILL|['\"]/tmp")
    names = [
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if used.search(path.read_text(encoding="utf-8"))
    ]
    assert names == ["records/io/atomic_replace.py"], "use os.replace"


def test_the_command_line_starts_without_them() -> None:
    code = "import sys; sys.modules |= {'fcntl': None, 'resource': None}; import posology.cli"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
