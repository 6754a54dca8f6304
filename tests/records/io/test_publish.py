"""A folder in a store is the old one, the new one, or refused, wherever a run is cut short."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from posology.errors import RecordError
from posology.records.io.checksums import read_checksums, verify_files, write_checksums
from posology.records.io.publish import DRAFT, stored_sums
from posology.records.io.remote import changed_folder, local_copy

fsspec = pytest.importorskip("fsspec", reason="no fsspec: pip install 'posology[cloud]'")

OLD = {"manifest.json": "1", "data/0.parquet": "a", "data/1.parquet": "b", "old.txt": "o"}
NEW = {"manifest.json": "2", "data/0.parquet": "a", "data/1.parquet": "c", "data/2.parquet": "d"}
CHANGES = ("put_file", "cp_file", "rm_file", "rm")
"""Methods of a file system that change what is stored."""


@pytest.fixture
def url() -> str:
    return f"memory://{uuid4().hex}/events"


def write(url: str, content: dict[str, str]) -> None:
    """Make the folder at the URL have this content."""
    with changed_folder(url) as folder:
        for path in [p for p in folder.rglob("*") if p.is_file()]:
            path.unlink()
        for name, text in content.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        write_checksums(folder)


def read(url: str) -> dict[str, str] | None:
    """The content that a reader gets; None if it refuses the folder."""
    try:
        with local_copy(url) as folder:
            sums = read_checksums(folder, "test")
            names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
            verify_files(folder, sorted(names - {"checksums.json"}), sums, "test")
            return {name: (folder / name).read_text() for name in sums}
    except RecordError:
        return None


def cut_short(patch: pytest.MonkeyPatch, system: Any, after: int) -> Callable[[], bool]:
    """Let the change number `after` of the store fail, and all later ones; tells whether it did."""
    done = [0]
    for name in CHANGES:
        method = getattr(type(system), name)

        def change(self, *args, method=method, **options):
            done[0] += 1
            if done[0] > after:
                raise ConnectionResetError("reset by peer")
            return method(self, *args, **options)

        patch.setattr(type(system), name, change)
    return lambda: done[0] > after


@pytest.mark.parametrize("before", [None, OLD])
def test_a_run_that_is_cut_short_leaves_the_old_folder_or_one_that_is_refused(
    before: dict[str, str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = set()
    for after in range(60):
        url = f"memory://{uuid4().hex}/events"
        if before:
            write(url, before)
        with monkeypatch.context() as patch:
            failed = cut_short(patch, fsspec.filesystem("memory"), after)
            with contextlib.suppress(RecordError):
                write(url, NEW)
        found = read(url)
        assert found in (None, before, NEW)
        seen.add("refused" if found is None else "old" if found == before else "new")
        system, root = fsspec.url_to_fs(url)
        assert system.exists(f"{root}/manifest.json") or not system.exists(f"{root}/data")
        write(url, NEW)
        assert read(url) == NEW
        assert not system.find(f"{root}/{DRAFT}")
        if not failed():
            break
    else:
        raise AssertionError("60 changes of the store were not enough")
    assert seen == ({"refused", "new"} if before is None else {"refused", "old", "new"})


def test_a_reader_says_that_a_change_was_cut_short(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(url, OLD)
    system, _ = fsspec.url_to_fs(url)

    def refuse(*_args: Any) -> None:
        raise OSError("disk quota exceeded")

    with monkeypatch.context() as patch:
        patch.setattr(type(system), "cp_file", refuse)
        with pytest.raises(RecordError, match="disk quota exceeded"):
            write(url, NEW)
    with pytest.raises(RecordError, match="run the command that changed it again"):  # noqa: SIM117
        with local_copy(url):
            pass
    with changed_folder(url) as folder:  # finishes it, although this run changes nothing
        assert (folder / "data/2.parquet").read_text() == "d"
    assert read(url) == NEW


def test_only_what_changed_is_sent(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(url, OLD)
    system, _ = fsspec.url_to_fs(url)
    put, sent = type(system).put_file, []

    def keep(self, local, remote, **options):
        sent.append(remote.rpartition(f"{DRAFT}/")[2])
        put(self, local, remote, **options)

    monkeypatch.setattr(type(system), "put_file", keep)
    write(url, NEW)
    assert sent == ["manifest.json", "data/1.parquet", "data/2.parquet", "checksums.json"]


def test_a_change_by_another_run_in_the_meantime_is_an_error(url: str) -> None:
    write(url, OLD)

    def change_meanwhile() -> None:
        with changed_folder(url) as folder:
            (folder / "mine").write_text("x")
            write_checksums(folder)
            write(url, NEW)

    with pytest.raises(RecordError, match="another run changed the folder in the meantime"):
        change_meanwhile()
    assert read(url) == NEW


def test_files_of_others_are_never_removed(url: str) -> None:
    system, root = fsspec.url_to_fs(url)
    system.pipe_file(f"{root}/thesis.doc", b"years of work")
    with pytest.raises(RecordError, match=r"is not empty \(it has thesis.doc\)"):
        write(url, NEW)
    assert system.find(root) == [f"{root}/thesis.doc"]
    assert stored_sums(system, root) is None


def test_a_file_that_is_not_stored_as_it_was_written_is_an_error(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, _ = fsspec.url_to_fs(url)
    put = type(system).put_file

    def short(self, local, remote, **options):
        if remote.endswith("1.parquet"):
            Path(local).write_bytes(b"")
        put(self, local, remote, **options)

    monkeypatch.setattr(type(system), "put_file", short)
    with pytest.raises(RecordError, match=r"data/1\.parquet was not stored as it was written"):
        write(url, NEW)
    assert read(url) is None
