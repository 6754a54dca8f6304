"""A folder at a URL is read as it is on disk, and is whole or refused."""

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from posology.cohorts.storage.folder import build_folder
from posology.errors import RecordError, UserError
from posology.records.io.remote import is_url, local_copy
from posology.workflows.cohorts import build_cohort, read_cohort, read_flow
from tests.cohorts.storage.test_cached_parts import STUDY, files, write

fsspec = pytest.importorskip("fsspec", reason="no fsspec: pip install 'posology[cloud]'")


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place in memory or on a disk, as a URL."""
    return f"{request.param}://{tmp_path / 'store' / uuid4().hex}"


@pytest.fixture
def events(store: str, tmp_path: Path) -> str:
    """Events of two files in the store."""
    for shard in (0, 1):
        write(tmp_path / "events", shard, shard)
    system, root = fsspec.url_to_fs(f"{store}/events")
    system.put(str(tmp_path / "events") + "/", root, recursive=True)
    return f"{store}/events"


def test_a_cohort_at_a_url_is_the_same_byte_by_byte(
    events: str, store: str, tmp_path: Path
) -> None:
    build_folder(STUDY, tmp_path / "events", tmp_path / "here")
    made = build_cohort(STUDY, events, f"{store}/cohort")
    with local_copy(f"{store}/cohort") as copy:
        assert files(copy) == files(tmp_path / "here")
    assert not copy.exists()
    assert read_flow(f"{store}/cohort") == made.flow
    cohort = read_cohort(f"{store}/cohort")
    np.testing.assert_array_equal(cohort.outcome, read_cohort(tmp_path / "here").outcome)
    assert len(made.load()) == len(cohort)
    with pytest.raises(UserError, match=r"/cohort: exists already; choose a new folder"):
        build_cohort(STUDY, events, f"{store}/cohort")


def test_an_upload_that_was_cut_short_is_refused_and_then_replaced(
    events: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, root = fsspec.url_to_fs(f"{store}/cohort")
    put, done = type(system).put_file, []

    def cut(self, local, remote, **options):
        done.append(remote)
        if len(done) == 9:
            raise ConnectionResetError("reset by peer")
        put(self, local, remote, **options)

    with monkeypatch.context() as patch:
        patch.setattr(type(system), "put_file", cut)
        with pytest.raises(RecordError, match=r"/cohort: reset by peer"):
            build_cohort(STUDY, events, f"{store}/cohort")
    assert len(system.find(root)) == 8
    with pytest.raises(UserError, match=r"is not a complete cohort|checksums\.json: is missing"):
        read_cohort(f"{store}/cohort")
    build_cohort(STUDY, events, f"{store}/cohort")
    assert len(read_cohort(f"{store}/cohort"))


def test_a_file_that_is_not_stored_as_it_was_written_is_an_error(
    events: str, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, root = fsspec.url_to_fs(f"{store}/cohort")
    put = type(system).put_file

    def short(self, local, remote, **options):
        if remote.endswith("outcome.bin"):
            Path(local).write_bytes(Path(local).read_bytes()[:-1])
        put(self, local, remote, **options)

    monkeypatch.setattr(type(system), "put_file", short)
    with pytest.raises(RecordError, match=r"outcome\.bin was not stored as it was written"):
        build_cohort(STUDY, events, f"{store}/cohort")
    assert not system.exists(f"{root}/checksums.json")


def test_a_changed_byte_at_a_url_is_refused(events: str, store: str) -> None:
    build_cohort(STUDY, events, f"{store}/cohort")
    system, root = fsspec.url_to_fs(f"{store}/cohort/reward.bin")
    content = system.cat_file(root)
    system.pipe_file(root, content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(RecordError, match=r"reward\.bin: does not match its checksum"):
        read_cohort(f"{store}/cohort")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://nowhere/events", "memory://nowhere/events: no such file or folder"),
        ("oddity://a/events", "oddity://a/events: Protocol not known: oddity"),
    ],
)
def test_what_cannot_be_reached_is_an_error(url: str, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        build_cohort(STUDY, url)


def test_a_secret_in_a_url_is_not_shown() -> None:
    with pytest.raises(RecordError) as caught:
        build_cohort(STUDY, "oddity://key:secret@host/events")
    assert "secret" not in str(caught.value)


def test_paths_and_names_of_studies_are_no_urls() -> None:
    names = ["iwpc", "out/events", "/data/a", "C:\\data", Path("s3://a/b")]
    assert not any(is_url(name) for name in names)
    assert is_url("s3://bucket/events")
