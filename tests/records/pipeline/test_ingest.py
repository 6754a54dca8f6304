import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import meds
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from posology.errors import RecordError, UserError
from posology.records.io import engine
from posology.records.io.engine import Engine
from posology.records.meds_dataset import read_splits, write_folder, write_splits
from posology.records.pipeline.ingest import IngestSettings, ingest
from posology.records.pipeline.staging import Source, StagedSource
from posology.records.sources.registry import make_sources
from tests.builders.raw_events import YEAR0, as_set, events_of, raw_source, raw_table, rows

QUICK = IngestSettings(report=False)
FEW = settings(
    max_examples=8,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # to make an example small takes minutes here
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def rejected_of(folder):
    return pq.read_table(folder / "rejected.parquet")


sizes = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@FEW
@given(rows)
def test_every_row_is_an_event_rejected_or_merged(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("in")
    table = raw_table(rows)
    done = ingest([raw_source(folder / "a.parquet", table)], folder / "out", QUICK)
    events, rejected = events_of(folder / "out"), rejected_of(folder / "out")
    assert len(table) == len(events) + len(rejected) + done.merged
    assert len(set(as_set(events))) == len(events)
    places = rejected.select(["source", "row"]).to_pylist()
    known = {(place["source"], place["row"]) for place in places}
    assert len(known) == len(rejected), "a rejected row is listed once, with its source and row"
    assert all(rejected["reason"].to_pylist())
    meds.DataSchema.validate(events)


def recut(sizes):
    """The engine's batches, cut into pieces of these sizes, over and over."""

    def batches(con, table):
        pieces = list(engine.iter_batches(con, table))
        whole = pa.concat_tables(map(pa.table, pieces)) if pieces else ()
        at, size = 0, itertools.cycle(sizes)
        while at < len(whole):
            (piece,) = whole.slice(at, n := next(size)).combine_chunks().to_batches()
            yield piece
            at += n

    return batches


@FEW
@given(rows, st.randoms(), st.integers(1, 4), st.integers(1, 5), sizes)
def test_order_files_shards_and_batches_do_not_change_the_events(
    rows, random, parts, shards, sizes
):
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder, table = Path(name), raw_table(rows)
        ingest([raw_source(folder / "a.parquet", table)], folder / "one", QUICK)
        patch.setattr("posology.records.pipeline.sort_shards.iter_batches", recut(sizes))
        mixed = table.take(pa.array(random.sample(range(len(table)), len(table)), pa.int64()))
        cuts = [i * len(mixed) // parts for i in range(parts + 1)]
        sources = [
            replace(raw_source(folder / f"{a}-{b}.parquet", mixed.slice(a, b - a)), settings=str(a))
            for a, b in itertools.pairwise(cuts)
        ]
        cut = replace(QUICK, shards=shards)
        ingest(sources, folder / "parts", cut)
        assert as_set(events_of(folder / "one")) == as_set(events_of(folder / "parts"))
        assert as_set(rejected_of(folder / "one")) == as_set(rejected_of(folder / "parts"))
        for source in sources:
            ingest([source], folder / "later", cut)
        assert as_set(events_of(folder / "one")) == as_set(events_of(folder / "later"))
        before = contents(folder / "later")
        assert not ingest(sources, folder / "later", cut).sources
        assert contents(folder / "later") == before, "ingesting twice changes nothing"


def sorted_and_whole(folder):
    seen = set()
    for path in (folder / "data").glob("*.parquet"):
        table = pq.read_table(path)
        subjects, moments = table["subject_id"].to_pylist(), table["time"].to_pylist()
        keys = [(s, t is not None, t or YEAR0) for s, t in zip(subjects, moments, strict=True)]
        assert keys == sorted(keys)
        assert not seen & set(subjects), "a subject lies in one file"
        seen |= set(subjects)


def test_shards_are_sorted_and_have_all_events_of_a_subject(tmp_path):
    random.seed(3)
    rows = [
        (
            random.randrange(300),
            None if i % 9 == 0 else YEAR0.replace(year=1990 + i % 20),
            f"LAB//{i % 7}",
            float(i),
            None,
            None,
        )
        for i in range(5000)
    ]
    source = raw_source(tmp_path / "a.parquet", raw_table(rows))
    done = ingest([source], tmp_path / "out", IngestSettings(shards=5))
    sorted_and_whole(tmp_path / "out")
    assert done.events == 5000
    assert len(list((tmp_path / "out" / "data").glob("*.parquet"))) == 5
    for path in (tmp_path / "out" / "data").glob("*.parquet"):
        meds.DataSchema.validate(pq.read_table(path))
    meds.CodeMetadataSchema.validate(pq.read_table(tmp_path / "out" / "metadata/codes.parquet"))
    facts = json.loads((tmp_path / "out" / "metadata/dataset.json").read_text())
    meds.DatasetMetadataSchema.validate(facts)
    assert facts["code_modifier_columns"] == ["unit"]


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_ingesting_the_same_files_twice_changes_nothing(tmp_path):
    rows = [(1, YEAR0, "LAB//a", 1.0, None, None), (None, YEAR0, "LAB//a", 1.0, None, None)]
    source = raw_source(tmp_path / "a.parquet", raw_table(rows))
    ingest([source], tmp_path / "out")
    before = contents(tmp_path / "out")
    again = ingest([source], tmp_path / "out")
    assert again.skipped == ("a.parquet",)
    assert contents(tmp_path / "out") == before


def test_shards_without_new_events_are_linked(tmp_path):
    rows = [(s, YEAR0, "LAB//a", 1.0, None, None) for s in range(50)]
    ingest(
        [raw_source(tmp_path / "a.parquet", raw_table(rows))],
        tmp_path / "out",
        IngestSettings(shards=4),
    )
    before = {p.name: p.stat().st_ino for p in (tmp_path / "out" / "data").iterdir()}
    more = raw_source(tmp_path / "b.parquet", raw_table([(7, YEAR0, "LAB//b", 2.0, None, None)]))
    done = ingest([more], tmp_path / "out")
    after = {p.name: p.stat().st_ino for p in (tmp_path / "out" / "data").iterdir()}
    assert len([name for name in before if before[name] != after[name]]) == 1
    assert len(events_of(tmp_path / "out")) == 51
    assert done.raw == 1
    sorted_and_whole(tmp_path / "out")


def test_a_later_birth_record_reopens_rejected_events(tmp_path):
    first = [
        (1, YEAR0.replace(year=1980), "MEDS_BIRTH", None, None, None),
        (1, YEAR0.replace(year=1979), "LAB//a", 5.0, None, None),
    ]
    done = ingest([raw_source(tmp_path / "a.parquet", raw_table(first))], tmp_path / "out")
    assert done.rejected == {"before_birth": 1}
    later = raw_table([(1, YEAR0.replace(year=1975), "MEDS_BIRTH", None, None, None)])
    done = ingest([raw_source(tmp_path / "b.parquet", later)], tmp_path / "out")
    assert done.rejected == {"conflicting_birth": 1}
    assert sorted(events_of(tmp_path / "out")["code"].to_pylist()) == ["LAB//a", "MEDS_BIRTH"]
    listed = rejected_of(tmp_path / "out").to_pylist()
    assert [(row["source"], row["rule"]) for row in listed] == [
        ("an earlier ingest", "conflicting_birth")
    ]


KILLED = """
import os, signal, sys
from pathlib import Path
from posology.records.pipeline import ingest as module
from posology.records.sources.registry import make_sources
def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, sys.argv[3], killed)
module.ingest(make_sources("meds", [sys.argv[1]]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize(
    "place", ["load_parquet", "write_sorted", "_write_metadata", "write_report", "write_manifest"]
)
def test_a_killed_run_leaves_the_folder_unchanged(tmp_path, place):
    one, two = tmp_path / "a.parquet", tmp_path / "b.parquet"
    pq.write_table(raw_table([(1, YEAR0, "LAB//a", 1.0, None, None)]), one)
    pq.write_table(raw_table([(1, YEAR0, "LAB//b", 1.0, None, None)]), two)
    out = tmp_path / "out"
    ingest(make_sources("meds", [one]), out)
    before = contents(out)
    command = [sys.executable, "-c", KILLED, str(two), str(out), place]
    ended = subprocess.run(command, capture_output=True, check=False, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert contents(out) == before
    ingest(make_sources("meds", [two]), out)
    assert sorted(events_of(out)["code"].to_pylist()) == ["LAB//a", "LAB//b"]
    assert not list(tmp_path.glob(".*ingesting*"))


def test_a_folder_without_a_manifest_is_not_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep me")
    source = raw_source(tmp_path / "a.parquet", raw_table([]))
    with pytest.raises(RecordError, match=r"not made by `posology ingest`.*choose another folder"):
        ingest([source], tmp_path / "out")
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep me"


def test_a_folder_of_an_earlier_format_is_an_error(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text('{"shards": 1, "sources": []}')
    source = raw_source(tmp_path / "a.parquet", raw_table([]))
    with pytest.raises(RecordError, match=r"has the format 1.*ingest into a new folder"):
        ingest([source], tmp_path / "out")


def test_an_unknown_engine_or_memory_size_is_an_error(tmp_path):
    source = raw_source(tmp_path / "a.parquet", raw_table([]))
    with pytest.raises(RecordError, match="engine 'oracle' is not known: write duckdb, spark"):
        ingest([source], tmp_path / "out", IngestSettings(engine=Engine("oracle")))
    with pytest.raises(UserError, match="memory 'much' is not a size: write 2GB"):
        ingest([source], tmp_path / "out", IngestSettings(engine=Engine(memory="much")))


def test_damaged_event_files_are_errors(tmp_path):
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 no")
    with pytest.raises(RecordError, match=r"bad.parquet is not a readable Parquet file"):
        ingest(make_sources("meds", [bad]), tmp_path / "out")
    pq.write_table(pa.table({"subject": [1]}), bad)
    with pytest.raises(RecordError, match=r"has no column 'subject_id'.*\(it has subject\)"):
        ingest(make_sources("meds", [bad]), tmp_path / "out")
    for column, values, kind in [
        ("subject_id", ["p1"], "string, not integers"),
        ("time", ["2020"], "string, not times"),
        ("code", [5], "int64, not texts"),
        ("numeric_value", ["5"], "string, not numbers"),
    ]:
        good = {"subject_id": [1], "time": [YEAR0], "code": ["A"], "numeric_value": [1.0]}
        pq.write_table(pa.table({**good, column: values}), bad)
        with pytest.raises(
            RecordError, match=f"{column} has the type {kind}; read this file with a map"
        ):
            ingest(make_sources("meds", [bad]), tmp_path / "out")
    with pytest.raises(RecordError, match=r"gone.parquet cannot be read"):
        ingest(make_sources("meds", [tmp_path / "gone.parquet"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_birth_at_an_impossible_time_is_ignored(tmp_path):
    rows = [
        (1, YEAR0.replace(year=1), "MEDS_BIRTH", None, None, None),
        (1, YEAR0.replace(year=1960), "MEDS_BIRTH", None, None, None),
        (1, YEAR0.replace(year=1959), "LAB//a", 5.0, None, None),
    ]
    done = ingest([raw_source(tmp_path / "a.parquet", raw_table(rows))], tmp_path / "out")
    assert done.rejected == {"impossible_time": 1, "before_birth": 1}


def test_a_folder_and_its_report_are_written_if_all_rows_are_rejected(tmp_path):
    rows = [(None, YEAR0, "LAB//a", 1.0, None, None)]
    done = ingest([raw_source(tmp_path / "a.parquet", raw_table(rows))], tmp_path / "out")
    assert (done.events, done.rejected) == (0, {"no_subject": 1})
    report = json.loads((tmp_path / "out" / "quality.json").read_text("utf-8"))
    assert (report["totals"]["events"], report["totals"]["rejected"]) == (0, 1)
    meds.DataSchema.validate(events_of(tmp_path / "out"))


def test_rejected_rows_of_a_database_are_replaced_when_it_is_read_again(tmp_path):
    rows = [
        (1, YEAR0, "LAB//a", 1.0, None, None),
        (None, YEAR0, "LAB//a", 1.0, None, None),
        (1, YEAR0.replace(year=1960), "MEDS_DEATH", None, None, None),
    ]
    path = tmp_path / "a.parquet"
    pq.write_table(raw_table(rows), path)
    base = Source("a.csv", (), lambda _con, _folder: StagedSource((path,), (), 3))
    first = ingest([base], tmp_path / "out")
    events, rejected = as_set(events_of(tmp_path / "out")), as_set(rejected_of(tmp_path / "out"))
    again = ingest([base], tmp_path / "out")
    assert first.rejected == again.rejected == {"no_subject": 1, "after_death": 1}
    assert as_set(events_of(tmp_path / "out")) == events
    assert as_set(rejected_of(tmp_path / "out")) == rejected
    assert len(json.loads((tmp_path / "out" / "manifest.json").read_text())["sources"]) == 1


def test_splits_of_a_meds_folder_are_kept_and_never_change(tmp_path):
    table = raw_table([(s, YEAR0, "A", 1.0, None, None) for s in (1, 2)])
    for name, splits in (("theirs", {1: "train", 2: "test"}), ("others", {1: "test"})):
        write_folder(tmp_path / name, [table])
        write_splits(tmp_path / name, splits)
    ingest(make_sources("meds", [tmp_path / "theirs"]), tmp_path / "out")
    assert read_splits(tmp_path / "out") == {1: "train", 2: "test"}
    meds.SubjectSplitSchema.validate(pq.read_table(tmp_path / "out" / meds.subject_splits_filepath))
    with pytest.raises(RecordError, match="others: a subject of split test is in train in what"):
        ingest(make_sources("meds", [tmp_path / "others"]), tmp_path / "out")


def test_existing_splits_are_kept(tmp_path):
    out = tmp_path / "out"
    ingest([raw_source(tmp_path / "a.parquet", raw_table([(1, YEAR0, "A", 1.0, None, None)]))], out)
    write_splits(out, {1: "validation"})
    ingest([raw_source(tmp_path / "b.parquet", raw_table([(1, YEAR0, "B", 1.0, None, None)]))], out)
    assert read_splits(out) == {1: "validation"}
    assert pc.unique(pq.read_table(out / meds.subject_splits_filepath)["split"]).to_pylist() == [
        "tuning"
    ]
