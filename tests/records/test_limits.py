"""Files beyond what numbers, memory or time can hold are errors or rejected rows, quickly."""

import gzip
import sys
import types
from pathlib import Path
from typing import ClassVar

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from posology.cohorts.study.reader import parse_study
from posology.errors import RecordError, StudyError
from posology.records.batching import combine_batches
from posology.records.io.documents import parse_json, parse_toml
from posology.records.io.engine import Engine, connect
from posology.records.io.python_tables import read_rows
from posology.records.io.regex import compile_first_group
from posology.records.io.settings import load_settings
from posology.records.io.text_lines import line_limit, read_bytes, read_lines
from posology.records.meds_dataset import open_events
from posology.records.pipeline.units import load_codebook
from posology.records.schema import Rejection
from posology.records.sources.fhir.reader import read_fhir
from posology.records.sources.meds_folder import MedsColumns
from posology.records.sources.patient_json import read_patient

DEEP = "[" * 5_000 + "]" * 5_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1e999", "'a' is no finite number of 64 bits"),
        ("a = nan", "'a' is no finite number of 64 bits"),
        ("[b]\na = [1, 9223372036854775808]", "'a' is an integer beyond 64 bits"),
        (f"a = {DEEP}", "is nested deeper than 100 levels"),
        ("a = " + "[" * 101 + "]" * 101, "is nested deeper than 100 levels"),
        ("a =", "Invalid value"),
    ],
)
def test_toml_beyond_what_can_be_held_is_a_value_error(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_toml(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1e999}', "'a' is no finite number of 64 bits"),
        ('{"a": NaN}', "NaN is no number in JSON; write null"),
        ('{"a": -9223372036854775809}', "'a' is an integer beyond 64 bits"),
        ('{"a": {"b": 1, "b": 2}}', "the key 'b' is there twice; keep one"),
        (r'{"a": ["\ud800"]}', r"'a' has half of a character \(a lone surrogate\)"),
        (r'{"\ud800": 1}', "has half of a character"),
        (DEEP, "is nested deeper than 100 levels"),
    ],
)
def test_json_beyond_what_can_be_held_is_an_error_of_the_patient_file(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_json(text)
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(RecordError, match=rf"p.json: is not JSON \(.*{expected}"):
        read_patient(tmp_path / "p.json")


def test_an_empty_patient_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(" \n")
    with pytest.raises(RecordError, match=r"p.json: is empty; write a form with `posology temp"):
        read_patient(tmp_path / "p.json")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[1, 2]", r"p.json: holds no patient: it must begin with \{; compare `posology templ"),
        (b'\xff{"facts": {}}', r"p.json: is not text in UTF-8 \(byte 1\); save it as UTF-8\."),
        (b'{"facts": {"age": 24,}}', r"p.json: is not JSON \(line 1, column 2.: remove th"),
    ],
)
def test_another_patient_file_says_what_to_change(
    tmp_path: Path, content: bytes, expected: str
) -> None:
    (tmp_path / "p.json").write_bytes(content)
    with pytest.raises(RecordError, match=expected):
        read_patient(tmp_path / "p.json")


@pytest.mark.parametrize("text", [f"name = {DEEP}", "name = 1e999", "a = 9223372036854775808"])
def test_study_mapping_and_code_book_name_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.toml"
    path.write_text(text)
    with pytest.raises(StudyError, match=r"^file.toml: not valid TOML: .*(deeper|64 bits)"):
        parse_study(text, "file.toml")
    with pytest.raises(RecordError, match=r"file.toml: is not TOML in UTF-8: .*(deeper|64 bits)"):
        load_settings(path, MedsColumns)
    with pytest.raises(RecordError, match=r"code book .*file.toml: .*(deeper|64 bits)"):
        load_codebook(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("code = 5", r"code is not a table; write \[code\]"),
        ('[code]\n"LAB//a" = 5', "LAB//a: 5 is not an entry; write a table"),
        ('[code."LAB//a"]\nlow = "x"', "LAB//a: low 'x' is not a number"),
        ('[code."LAB//a"]\nunit = 5', "LAB//a: unit 5 is not a text"),
        ("[spelling]\nmgs = 5", "mgs: 5 is not a unit; write it in quotes"),
        ("[mass]\nstone = 0", "stone: 0 is not a factor; write a number above 0"),
    ],
)
def test_a_wrong_entry_of_a_code_book_is_named(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "book.toml"
    path.write_text(text)
    with pytest.raises(RecordError, match=rf"code book .*book.toml: {expected}"):
        load_codebook(path)


def test_two_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x,x\n1,2,3\n")
    with pytest.raises(RecordError, match=r"a.csv: has the column 'x' twice; give each its own"):
        list(read_rows(tmp_path / "a.csv"))
    one = pa.array([1])
    table = pa.Table.from_arrays([one, one, one], names=["subject_id", "time", "time"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(RecordError, match=r"a.parquet has the column 'time' twice"):
        open_events(tmp_path / "a.parquet")


def test_a_pattern_takes_time_linear_in_the_text() -> None:
    assert compile_first_group("(a+)+$")("a" * 5_000 + "!") is None
    assert compile_first_group(r"^([^_]+)_")("17_0") == "17"
    assert compile_first_group(r"(\d+)|x")("ab 12 cd 34") == "12"
    assert compile_first_group("a\n(b)")("x a\nb\ny") == "b"
    for pattern in ("(?=a)(b)", r"(a)\1", "(", "(" * 3_000):
        with pytest.raises(RecordError, match="is not a regular expression of RE2"):
            compile_first_group(pattern)
    with pytest.raises(RecordError, match="needs a group in parentheses"):
        compile_first_group("a")


def test_a_line_of_any_length_is_skipped_not_held(tmp_path: Path) -> None:
    """8 MB of one line from 35 KB of gzip; what follows is read."""
    patient = b'{"resourceType": "Patient", "id": "7", "birthDate": "1950-01-02"}\n'
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(patient + b'{"x": "' + b"9" * 8_000_000 + b'"}\n' + patient, 1))
    with line_limit(1_000):
        batch = combine_batches(read_fhir([path]))
        assert [n for n, line in read_lines(path) if isinstance(line, Rejection)] == [2]
    assert batch.events.num_rows == 2
    assert batch.rejected.to_pylist()[0]["reason"] == (
        "is longer than 1,000 bytes; read it with a larger --max-line"
    )
    with line_limit(1_000):
        data, problem = read_bytes(path)
    assert (data, problem and problem.reason) == (
        b"",
        "a document is longer than 16,000 bytes; read it with a larger --max-line",
    )


def test_a_long_line_ends_a_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,x\n1,2\n2," + "9" * 5_000 + "\n3,4\n")
    with line_limit(1_000):
        rows = [row for _, row in read_rows(tmp_path / "a.csv")]
    assert rows[0] == {"id": "1", "x": "2"}
    assert isinstance(rows[1], Rejection)
    assert "a line is longer than 1,000 bytes" in rows[1].reason
    assert len(rows) == 2


def test_a_local_spark_listens_to_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    settings: dict[str, str] = {}

    class Builder:
        _options: ClassVar[dict[str, str]] = {}

        def config(self, name: str, value: str) -> "Builder":
            settings[name] = value
            return self

        def appName(self, _name: str) -> "Builder":  # noqa: N802
            return self

        def master(self, _name: str) -> "Builder":
            return self

        def getOrCreate(self) -> str:  # noqa: N802
            return "session"

    session = types.SimpleNamespace(builder=Builder())
    monkeypatch.setitem(sys.modules, "pyspark", types.ModuleType("pyspark"))
    sql = types.ModuleType("pyspark.sql")
    sql.SparkSession = session  # ty: ignore[unresolved-attribute]
    monkeypatch.setitem(sys.modules, "pyspark.sql", sql)
    pyspark = types.SimpleNamespace(connect=lambda made: made)
    fake = types.SimpleNamespace(pyspark=pyspark, options=ibis.options)
    monkeypatch.setattr("posology.records.io.engine.ibis", fake)
    assert connect(Engine("spark")) == "session"
    assert settings["spark.driver.bindAddress"] == "127.0.0.1"
    assert settings["spark.driver.host"] == "127.0.0.1"
