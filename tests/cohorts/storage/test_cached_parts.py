"""A cohort built from kept parts is the one built anew, and only what changed is decided."""

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from posology.cli import app
from posology.cohorts.storage import cached_parts as shards
from posology.cohorts.storage.arrays import load_flow
from posology.cohorts.storage.folder import BuildOptions, build_folder, dry_run
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import Cohort
from posology.errors import RecordError, UserError
from tests.builders.two_drug_records import event_table, study

STUDY = study(
    ("[follow_up]", '[follow_up]\nweighted_by = ["LAB", "NOTE//1"]'),
    ("[profile]", "[profile]\nminimum_patients = 2"),
)


def write(folder: Path, shard: int, seed: int, codes: int = 2) -> None:
    """Eight patients of a shard; the seed says what happened to them, among so many notes."""
    rng = np.random.default_rng([shard, seed])
    rows = []
    for subject in range(shard * 10, shard * 10 + 8):
        rows.append((subject, None, f"SEX//{'FM'[rng.integers(2)]}", None))
        for day in range(0, 120, 30):
            rows.append((subject, day, "REVIEW", None))
            rows.append((subject, day, f"DRUG//{'AB'[rng.integers(2)]}", None))
            rows.append((subject, day + 1, f"NOTE//{rng.integers(codes)}", None))
            rows.append((subject, day + 20, "LAB", float(rng.normal(5, 2))))
        rows.append((subject, float(rng.integers(90, 200)), "STOP", None))
    folder.mkdir(exist_ok=True)
    pq.write_table(event_table(*rows), folder / f"{shard}.parquet")


def files(cohort: Path) -> dict[str, bytes]:
    """All that was written, byte by byte: arrays, profile, study, flow."""
    return {path.name: path.read_bytes() for path in cohort.iterdir()}


def split_of(cohort: Cohort) -> dict[int, int]:
    subjects = cohort.history.subject_id[cohort.subject]
    return dict(zip(subjects.tolist(), cohort.split.tolist(), strict=True))


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first subject of each part that is decided."""
    seen: list[int] = []
    real = shards.build_part

    def watched(events, asked, split):
        seen.append(int(events.subject_id[0]))
        return real(events, asked, split)

    monkeypatch.setattr(shards, "build_part", watched)
    return seen


Change = tuple[int, int | None, int]
"""A shard, what happened to its patients (None: it is not there), and how many codes of notes."""
CHANGES = st.lists(
    st.tuples(st.integers(0, 4), st.none() | st.integers(0, 3), st.integers(1, 6)), max_size=3
)


@settings(max_examples=5, deadline=None)
@given(steps=st.lists(CHANGES, min_size=1, max_size=3), rows=st.sampled_from([40, 100, 10_000]))
def test_a_cached_build_equals_a_fresh_build_after_any_change_of_files(
    steps: list[list[Change]], rows: int
) -> None:
    with TemporaryDirectory() as name:
        home = Path(name)
        for shard in (0, 1, 2):
            write(home / "events", shard, 0)
        before: dict[int, int] = {}
        for number, step in enumerate([[], *steps]):
            for shard, seed, codes in step:
                if seed is not None:
                    write(home / "events", shard, seed, codes)
                elif len(list((home / "events").iterdir())) > 1:
                    (home / "events" / f"{shard}.parquet").unlink(missing_ok=True)
            kept = BuildOptions(rows, parts=home / "parts")
            made = build_folder(STUDY, home / "events", home / f"kept-{number}", kept)
            build_folder(STUDY, home / "events", home / f"anew-{number}", BuildOptions(rows))
            assert files(home / f"kept-{number}") == files(home / f"anew-{number}")
            after = split_of(made)
            assert all(after[s] == before[s] for s in after.keys() & before.keys())
            before |= after


def test_only_new_or_changed_files_are_processed(tmp_path: Path, decided: list[int]) -> None:
    def build(name: str, rows: int = 10_000) -> list[int]:
        decided.clear()
        build_folder(STUDY, tmp_path / "events", tmp_path / name, BuildOptions(rows, parts=parts))
        return decided

    parts = tmp_path / "parts"
    for shard in (0, 1, 2):
        write(tmp_path / "events", shard, 0)
    assert build("first") == [0, 10, 20]
    assert build("same") == []
    write(tmp_path / "events", 3, 0, codes=9)
    assert build("new patients, new codes") == [30]
    write(tmp_path / "events", 1, 1)
    assert build("changed") == [10]
    (tmp_path / "events" / "0.parquet").unlink()
    assert build("gone") == []
    assert len(list(parts.iterdir())) == 3, "what no file has any more is not kept"
    (tmp_path / "events" / "1.parquet").rename(tmp_path / "events" / "7.parquet")
    assert build("renamed") == []
    assert len(build("other chunks", 40)) > 3, "cut elsewhere, means would round otherwise"


def test_another_study_split_or_version_shares_no_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = shards.settings_hash(STUDY, 10, None)
    assert shards.settings_hash(STUDY, 10, None) == mine
    others = [shards.settings_hash(study(), 10, None), shards.settings_hash(STUDY, 11, None)]
    others += [shards.settings_hash(STUDY, 10, {1: split}) for split in (0, 1)]
    monkeypatch.setattr(shards, "PARTS_VERSION", shards.PARTS_VERSION + 1)
    others.append(shards.settings_hash(STUDY, 10, None))
    assert len({mine, *others}) == 6


PARTS_DIGEST = "390eeb3979c0cd75409822053b69d59c5d9785436a488c4a3d64848b4f3f4fcd"
"""Of the parts below as PARTS_VERSION 7 makes them."""


def test_changed_parts_need_a_new_parts_version(tmp_path: Path) -> None:
    write(tmp_path / "events", 0, 0)
    build_folder(
        STUDY, tmp_path / "events", tmp_path / "built", BuildOptions(parts=tmp_path / "kept")
    )
    digest = hashlib.sha256()
    for path in sorted((tmp_path / "kept").rglob("*.npz")):
        with path.open("rb") as raw, np.load(raw) as part:
            numbers = [
                part[name].tobytes() for name in part.files if part[name].dtype.kind in "biuf"
            ]
            for content in sorted(numbers):  # whatever the arrays are called
                digest.update(content)
    assert digest.hexdigest() == PARTS_DIGEST, "parts changed: raise PARTS_VERSION, then this"


def test_an_interrupted_build_leaves_only_complete_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decided: list[int]
) -> None:
    for shard in (0, 1):
        write(tmp_path / "events", shard, 0)
    asked, real = BuildOptions(parts=tmp_path / "parts"), shards.build_part

    def killed(events, of, split):
        if events.subject_id[0] == 10:
            raise KeyboardInterrupt
        return real(events, of, split)

    with monkeypatch.context() as patch:
        patch.setattr(shards, "build_part", killed)
        with pytest.raises(KeyboardInterrupt):
            build_folder(STUDY, tmp_path / "events", tmp_path / "one", asked)
    assert not (tmp_path / "one").exists()
    decided.clear()
    build_folder(STUDY, tmp_path / "events", tmp_path / "two", asked)
    assert decided == [10]
    build_folder(STUDY, tmp_path / "events", tmp_path / "anew")
    assert files(tmp_path / "two") == files(tmp_path / "anew")


def test_a_damaged_part_and_a_wrong_folder_are_errors(tmp_path: Path) -> None:
    write(tmp_path / "events", 0, 0)
    asked = BuildOptions(parts=tmp_path / "parts")
    build_folder(STUDY, tmp_path / "events", tmp_path / "one", asked)
    kept = {path: path.read_bytes() for path in (tmp_path / "parts").rglob("*") if path.is_file()}
    assert sorted(path.name for path in kept) == ["000000.npz", "checksums.json", "codes.json"]
    for path, content in kept.items():
        for at in (0, len(content) // 3, len(content) - 3):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            with pytest.raises(UserError, match=r": is damaged; remove .*shard-"):
                build_folder(STUDY, tmp_path / "events", tmp_path / "two", asked)
        path.write_bytes(content)
    build_folder(STUDY, tmp_path / "events", tmp_path / "three", asked)
    assert files(tmp_path / "three") == files(tmp_path / "one")
    (path.parent / "000001.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"000001\.npz: is damaged; remove .*shard-"):
        build_folder(STUDY, tmp_path / "events", tmp_path / "two", asked)
    with pytest.raises(UserError, match=r"holds 0\.parquet, which is not a cohort part"):
        build_folder(
            STUDY, tmp_path / "events", tmp_path / "two", BuildOptions(parts=tmp_path / "events")
        )
    assert (tmp_path / "events" / "0.parquet").exists()


def test_a_subject_in_two_files_is_an_error_even_without_a_decision(tmp_path: Path) -> None:
    write(tmp_path / "events", 0, 0)
    pq.write_table(event_table((3, 500.0, "LAB", 1.0)), tmp_path / "events" / "9.parquet")
    with pytest.raises(RecordError, match="a subject is in two places"):
        build_folder(STUDY, tmp_path / "events", tmp_path / "one")


def test_parts_need_a_build_that_can_use_them(tmp_path: Path) -> None:
    write(tmp_path / "events", 0, 0)
    with pytest.raises(UserError, match="refits formulas or reduces embeddings, which needs all"):
        build_folder(
            read_study("iwpc"),
            tmp_path / "events",
            tmp_path / "o",
            BuildOptions(parts=tmp_path / "p"),
        )
    words = ["cohort", "clinic", str(tmp_path / "events"), "--parts", str(tmp_path / "p")]
    run = CliRunner().invoke(app, [*words, "--dry-run"])
    assert "--parts needs --out" in str(run.exception)


def test_two_workers_build_the_same_cohort(tmp_path: Path) -> None:
    for shard in (0, 1, 2):
        write(tmp_path / "events", shard, shard)
    told: list[tuple[int, int]] = []
    two = BuildOptions(40, workers=2, progress=lambda done, of: told.append((done, of)))
    build_folder(STUDY, tmp_path / "events", tmp_path / "one", BuildOptions(40))
    build_folder(STUDY, tmp_path / "events", tmp_path / "two", two)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert dry_run(STUDY, tmp_path / "events", two) == load_flow(tmp_path / "one")


def test_an_error_in_a_worker_is_raised_unchanged(tmp_path: Path) -> None:
    write(tmp_path / "events", 0, 0)
    write(tmp_path / "events", 1, 0)
    worse = pq.read_table(tmp_path / "events" / "1.parquet").drop_columns("numeric_value")
    pq.write_table(worse, tmp_path / "events" / "1.parquet")
    with pytest.raises(RecordError, match=r"1\.parquet: has no column numeric_value"):
        build_folder(STUDY, tmp_path / "events", tmp_path / "out", BuildOptions(40, workers=2))
    assert [p.name for p in tmp_path.iterdir()] == ["events"]
