import contextlib
import gzip
import re
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posology.errors import RecordError
from posology.records.io.subject_ids import to_subject_id
from posology.records.pipeline.ingest import ingest
from posology.records.sources.registry import make_sources
from tests.builders.raw_events import events_of

BASE = """
[[event]]
file = "labs.csv"
subject = "id"
time = "{at}"
code = "LAB//{label}"
value = "value"
unit = "{unit}"
"""


def at(*parts):
    return datetime(*parts)  # noqa: DTZ001


def stage(tmp_path, mapping, name="map.toml"):
    """Events and rejections of a mapping file, as dictionaries, and how many rows were read."""
    (tmp_path / name).write_text(mapping)
    events, rejected, rows = [], [], 0
    for number, source in enumerate(make_sources("table", [tmp_path / name])):
        folder = tmp_path / f"staged{number}"
        folder.mkdir(exist_ok=True)
        staged = source.stage(None, folder)
        events += [row for path in staged.events for row in pq.read_table(path).to_pylist()]
        rejected += [row for path in staged.rejected for row in pq.read_table(path).to_pylist()]
        rows += staged.rows
    return events, rejected, rows


def test_each_row_becomes_an_event_or_is_rejected_with_its_reason(tmp_path):
    (tmp_path / "labs.csv").write_text(
        "id,at,label,value,unit\n"
        "7,2020-01-02 03:04,glucose,5.5,mmol/L\n"
        "A-7,2020-01-02T03:04:05Z,glucose,<5,\n"
        ",2020-01-02,glucose,5,mmol/L\n"
        "8,,glucose,5,mmol/L\n"
        "8,03/04/2020,glucose,5,mmol/L\n"
        "8,2020-02-30,glucose,5,mmol/L\n"
        "8,2020-01-02,,5,mmol/L\n"
        "8,2020-01-02,glucose\n"
        '9,2020-05,"with, comma",1e400,\n'
    )
    events, rejected, rows = stage(tmp_path, BASE)
    assert rows == 9
    keys = ("subject_id", "time", "code", "numeric_value", "text_value", "unit")
    rows_read = [tuple(event[key] for key in keys) for event in events]
    assert rows_read == [
        (7, at(2020, 1, 2, 3, 4), "LAB//glucose", 5.5, None, "mmol/L"),
        (to_subject_id("A-7"), at(2020, 1, 2, 3, 4, 5), "LAB//glucose", None, "<5", None),
        (9, at(2020, 5, 31, 23, 59, 59), "LAB//with, comma", None, "1e400", None),
    ]
    assert [(r["row"], r["field"], r["value"], r["reason"]) for r in rejected] == [
        (3, "id", None, "names no subject"),
        (4, "{at}", None, "is empty"),
        (5, "{at}", "03/04/2020", "is not a date as ISO 8601; set time_format, such as %d/%m/%Y"),
        (6, "{at}", "2020-02-30", "is not a date as ISO 8601; set time_format, such as %d/%m/%Y"),
        (7, "code", None, "a column of LAB//{label} is empty"),
        (8, "value", "8,2020-01-02,glucose", "has fewer cells than the header"),
    ]


def test_formats_zones_offsets_joins_and_conditions_are_applied(tmp_path):
    (tmp_path / "stay.csv").write_text("stay,person,day\n1,P1,01/02/2020\n2,P2,05/02/2020\n")
    (tmp_path / "labs.csv").write_text(
        "stay,minutes,k,flag\n1,90,4.1,\n2,-60,3.9,H\n3,1,1,\n1,x,1,\n"
    )
    events, rejected, rows = stage(
        tmp_path,
        """
        [[event]]
        file = "labs.csv"
        join = "stay.csv"
        on = "stay"
        subject = "person"
        time = "{day}"
        time_format = "%d/%m/%Y"
        offset = "minutes"
        code = "LAB//k"
        value = "k"
        unit = "mmol/L"
        [[event]]
        file = "labs.csv"
        join = "stay.csv"
        on = "stay"
        subject = "person"
        code = "FLAG//{flag}"
        when = "flag"
        """,
    )
    assert [(e["time"], e["code"], e["unit"]) for e in events] == [
        (at(2020, 2, 1, 1, 30), "LAB//k", "mmol/L"),
        (at(2020, 2, 4, 23, 0), "LAB//k", "mmol/L"),
        (None, "FLAG//H", None),
    ]
    assert [(r["row"], r["field"], r["reason"]) for r in rejected] == [
        (3, "person", "names no subject"),
        (4, "minutes", "is not a number of min"),
    ]
    assert rows == 5


FLAGGED = """
[[event]]
file = "trial.csv"
subject = "patient"
time = "2000-01-01"
offset = "days"
offset_unit = "d"
when = "relapse"
code = "RELAPSE"
"""


def test_rows_that_say_no_are_no_events(tmp_path):
    (tmp_path / "trial.csv").write_text("patient,days,relapse\n1,10,1\n2,20,0\n3,30,1\n4,9,\n")
    chosen, *_ = stage(tmp_path, FLAGGED + 'when_is = "1"')
    assert [event["row"] for event in chosen] == [1, 3]
    both, *_ = stage(tmp_path, FLAGGED + 'when_is = ["0", "1"]')
    assert [event["row"] for event in both] == [1, 2, 3]
    message = (
        f"{tmp_path}/trial.csv (event 1): when = 'relapse' reads every row that is not empty, also "
        "those with '0'; state which rows have the event, such as when_is = \"1\""
    )
    with pytest.raises(RecordError, match=re.escape(message)):
        stage(tmp_path, FLAGGED)


def test_a_yes_or_no_that_the_mapping_reads_itself_is_no_trap(tmp_path):
    (tmp_path / "trial.csv").write_text("patient,days,relapse\n1,10,1\n2,20,0\n")
    told_apart = FLAGGED.replace('"RELAPSE"', '"RELAPSE//{relapse}"')
    events, *_ = stage(tmp_path, told_apart)
    assert [event["code"] for event in events] == ["RELAPSE//1", "RELAPSE//0"]
    (tmp_path / "trial.csv").write_text("patient,days,relapse\n1,10,1\n2,20,\n")
    events, *_ = stage(tmp_path, FLAGGED)
    assert [event["row"] for event in events] == [1]


def test_times_with_an_offset_are_converted_to_the_hospitals_zone(tmp_path):
    (tmp_path / "labs.csv").write_text(
        "id,at,label,value,unit\n1,2020-07-01T10:00:00+00:00,a,1,\n1,2020-07-01T10:00:00,a,1,\n"
    )
    events, _, _ = stage(tmp_path, 'time_zone = "Europe/Zurich"\n' + BASE)
    assert [e["time"].hour for e in events] == [12, 10]


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (BASE.replace("subject", "subjct"), r"event 1: unknown key 'subjct'; did you mean"),
        (
            BASE.replace('"{at}"', '"at"'),
            r"event 1: time 'at' names no column and no day; write \{at\}",
        ),
        (BASE.replace("labs.csv", "lab.csv"), r"no file is named 'lab.csv'"),
        (
            BASE.replace('value = "value"', 'value = "valu"'),
            r"has no column 'valu'; did you mean 'value'\? its columns are 'id', 'at'",
        ),
        (BASE + 'offset = "x"\noffset_unit = "weeks"', "offset_unit 'weeks' is not one of s, min"),
        (BASE + 'join = "a.csv"', "`join` and `on` go together"),
        (BASE + 'table = "labs"', "name either a file or a table"),
        ("[[event]]\nsubject='a'\ncode='b'\ntable='c'", "table 'c' needs `database`, its URL"),
        ("time_zone = 'Mars'\n" + BASE, "time_zone 'Mars' is not a time zone"),
    ],
)
def test_an_invalid_mapping_is_an_error(tmp_path, mapping, message):
    (tmp_path / "labs.csv").write_text("id,at,label,value,unit\n")
    with pytest.raises(RecordError, match=message):
        stage(tmp_path, mapping)


def test_a_joined_file_with_a_duplicate_key_is_an_error(tmp_path):
    (tmp_path / "labs.csv").write_text("id,at,label,value,unit\n")
    (tmp_path / "b.csv").write_text("id,x\n1,1\n1,2\n")
    with pytest.raises(RecordError, match="rows 1 and 2 have the same id"):
        stage(tmp_path, BASE + 'join = "b.csv"\non = "id"')


def test_a_joined_file_may_be_of_another_dialect(tmp_path):
    (tmp_path / "labs.csv").write_bytes("id;Płeć\n1;K\n2;M\n".encode("cp1250"))
    (tmp_path / "sex.csv").write_text("Płeć,sex\nK,female\nM,male\n", encoding="utf-8")
    mapping = """
        [[event]]
        file = "labs.csv"
        encoding = "cp1250"
        delimiter = ";"
        join = "sex.csv"
        on = "Płeć"
        subject = "id"
        code = "SEX//{sex}"
        """
    events, _, _ = stage(tmp_path, mapping)
    assert [event["code"] for event in events] == ["SEX//female", "SEX//male"]
    (tmp_path / "sex.csv").write_text("gender,sex\nK,female\n")
    with pytest.raises(RecordError, match=r"sex.csv has no column 'Płeć', which `on` joins"):
        stage(tmp_path, mapping)


def test_a_gzipped_file_with_a_false_checksum_is_an_error(tmp_path):
    whole = gzip.compress(b"id,at,label,value,unit\n" + b"1,2020-01-01,a,1,\n" * 70_000)
    (tmp_path / "labs.csv.gz").write_bytes(whole[:-8] + b"\0" + whole[-7:])
    with pytest.raises(RecordError, match=r"labs.csv.gz: the file is damaged \(CRC check failed"):
        stage(tmp_path, BASE.replace("labs.csv", "labs.csv.gz"))


def test_damaged_files_are_errors(tmp_path):
    mapping = BASE.replace("labs.csv", "labs.csv.gz")
    whole = gzip.compress(b"id,at,label,value,unit\n" + b"1,2020-01-01,a,1,\n" * 100_000)
    (tmp_path / "labs.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordError, match=r"labs.csv.gz: the file is damaged"):
        stage(tmp_path, mapping)
    (tmp_path / "labs.csv.gz").write_bytes(b"")
    with pytest.raises(RecordError, match=r"labs.csv.gz: is empty"):
        stage(tmp_path, mapping)
    (tmp_path / "labs.csv").write_text("id,id,label\n")
    with pytest.raises(RecordError, match=r"has the column 'id' twice"):
        stage(tmp_path, BASE)
    (tmp_path / "labs.parquet").write_bytes(b"PAR1")
    with pytest.raises(RecordError, match=r"labs.parquet: the file is damaged"):
        stage(tmp_path, BASE.replace("labs.csv", "labs.parquet"))


JOINED = """
[[event]]
file = "labs.csv"
join = "sex.csv"
on = "id"
subject = "id"
code = "SEX//{sex}"
"""


def test_malformed_rows_of_a_joined_file_are_rejected(tmp_path):
    (tmp_path / "labs.csv").write_text("id\n1\n2\n")
    (tmp_path / "sex.csv").write_text("id,sex\n1,female\n2\n3,male,x\n")
    events, rejected, rows = stage(tmp_path, JOINED)
    assert [event["code"] for event in events] == ["SEX//female"]
    assert [(r["row"], r["value"], r["reason"]) for r in rejected] == [
        (2, None, "a column of SEX//{sex} is empty"),
        (2, "2", "of sex.csv: has fewer cells than the header"),
        (3, "3,male,x", "of sex.csv: has more cells than the header"),
    ]
    assert rows == 4
    done = ingest(make_sources("table", [tmp_path / "map.toml"]), tmp_path / "out")
    assert (done.raw, done.events, done.unreadable) == (1, 1, 3)


def test_a_false_checksum_of_a_joined_file_is_found_beyond_a_megabyte(tmp_path):
    (tmp_path / "labs.csv").write_text("id\n1\n2\n")
    lines = "".join(f"{number},{'x' * 100}\n" for number in range(1, 30_000))
    packed = bytearray(gzip.compress(f"id,sex\n{lines}".encode(), compresslevel=1))
    packed[-8] ^= 1  # the CRC-32 of RFC 1952
    (tmp_path / "sex.csv.gz").write_bytes(packed)
    with pytest.raises(RecordError, match=r"sex\.csv\.gz: the file is damaged \(CRC check failed"):
        stage(tmp_path, JOINED.replace("sex.csv", "sex.csv.gz"))


def test_malformed_rows_are_not_lost(tmp_path):
    huge = "x" * 10_000_000
    lines = [
        "id,at,label,value,unit",
        f"1,2020-01-01,note,{huge},",
        "1,0001-01-01,a,nan,",
        "1,2020-01-01,a,-5,mg",
        "1,9999-12-31,a,inf,",
        "1,2020-01-01,a,1,1,1",
    ]
    path = tmp_path / "labs.csv"
    path.write_bytes("\n".join(lines).encode() + b"\n1,2020-01-01,\xff\xfe,1,\n")
    events, rejected, rows = stage(tmp_path, BASE)
    assert rows == len(events) + len(rejected) == 6
    assert len(events[0]["text_value"]) == 10_000_000
    assert [r["reason"] for r in rejected] == [
        "has more cells than the header",
        "is not UTF-8; convert the file, for example with iconv",
    ]
    done = ingest(make_sources("table", [tmp_path / "map.toml"]), tmp_path / "out")
    assert done.raw == done.events + sum(done.rejected.values()) + done.merged
    assert done.rejected == {"impossible_time": 2}
    assert done.unreadable == 2


def test_parquet_columns_of_any_type_are_read(tmp_path):
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "at": pa.array([0, 86_400_000], pa.timestamp("ms")),
            "label": pa.array(["a", "b"]).dictionary_encode(),
            "value": pa.array([1.5, None], pa.float64()),
            "unit": pa.array([[{"u": None}], None], pa.list_(pa.struct([("u", pa.string())]))),
        }
    )
    pq.write_table(table, tmp_path / "labs.parquet")
    events, rejected, _ = stage(tmp_path, BASE.replace("labs.csv", "labs.parquet"))
    assert [(e["subject_id"], e["time"], e["numeric_value"]) for e in events] == [
        (1, at(1970, 1, 1), 1.5),
        (2, at(1970, 1, 2), None),
    ]
    assert rejected == []


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_an_error_and_no_line_is_lost(tmp_path, noise):
    path = tmp_path / "labs.csv"
    path.write_bytes(b"id,at,label,value,unit\n" + noise)
    with contextlib.suppress(RecordError):
        events, rejected, rows = stage(tmp_path, BASE)
        assert rows == len(events) + len(rejected)


def test_tables_of_a_database_give_the_same_events(tmp_path, postgresql):
    import psycopg

    (tmp_path / "labs.csv").write_text(
        "id,at,label,value,unit\n7,2020-01-02 03:04,glucose,5.5,mmol/L\n8,2020-01-02,k,,\n"
    )
    with psycopg.connect(postgresql) as con:
        con.execute("CREATE SCHEMA IF NOT EXISTS lab")
        con.execute(
            "CREATE TABLE lab.results (id int, at timestamp, label text, value float8, unit text)"
        )
        con.execute(
            "INSERT INTO lab.results VALUES (7, '2020-01-02 03:04', 'glucose', 5.5, 'mmol/L')"
        )
        con.execute("INSERT INTO lab.results VALUES (8, '2020-01-02', 'k', null, null)")
    from_file, _, _ = stage(tmp_path, BASE)
    mapping = f'database = "{postgresql}"\n' + BASE.replace(
        'file = "labs.csv"', 'table = "lab.results"'
    )
    from_database, _, _ = stage(tmp_path, mapping)
    for event in from_file + from_database:
        del event["source"]
    assert sorted(map(repr, from_database)) == sorted(map(repr, from_file))
    with pytest.raises(RecordError, match="the database has no such table"):
        stage(tmp_path, mapping.replace("lab.results", "lab.resultz"))


def test_only_new_files_of_a_pattern_are_read(tmp_path):
    (tmp_path / "labs1.csv").write_text("id,at,label,value,unit\n7,2020-01-02,a,5.5,\n")
    (tmp_path / "map.toml").write_text(BASE.replace("labs.csv", "labs*.csv"))
    ingest(make_sources("table", [tmp_path / "map.toml"]), tmp_path / "out")
    (tmp_path / "labs2.csv").write_text("id,at,label,value,unit\n7,2020-01-03,a,5.5,\n")
    done = ingest(make_sources("table", [tmp_path / "map.toml"]), tmp_path / "out")
    assert (done.raw, len(done.skipped)) == (1, 1)
    assert len(events_of(tmp_path / "out")) == 2
