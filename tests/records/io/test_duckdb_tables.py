"""No line of a CSV file is lost, however long it is."""

import gzip
from pathlib import Path

import pytest

from posology.records.io.duckdb_tables import connect_reader, create_table, rejected_lines
from posology.records.io.text_lines import find_long_lines, line_limit


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "size", [900, 998, 999, 1_000, 1_001, 1_500, 1_998, 2_002, 50_000, 300_000]
)
@pytest.mark.parametrize("is_zipped", [False, True])
def test_a_line_of_any_length_is_a_row_or_rejected(
    tmp_path: Path, size: int, end: str, is_zipped: bool
) -> None:
    """DuckDB loses a line that is longer than its buffer without a word."""
    lines = [
        "pid,taken,result",
        "1,2020-01-02,5",
        "2,2020-01-03,".ljust(size, "x"),
        "3,2020-01-04,6",
    ]
    data = (end.join(lines) + end).encode()
    path = tmp_path / ("a.csv.gz" if is_zipped else "a.csv")
    path.write_bytes(gzip.compress(data, 1) if is_zipped else data)
    with line_limit(1_000):
        duck = connect_reader(tmp_path)
        create_table(duck, path, "labs")
        rejected = rejected_lines(duck, path).to_pylist()
    (read,) = duck.execute("SELECT list(pid) FROM labs").fetchone()
    if size + len(end) <= 1_000:
        assert (read, rejected) == (["1", "2", "3"], [])
        return
    assert read == ["1", "3"]
    (row,) = rejected
    assert row["row"] == 2
    assert row["reason"] == "is longer than 1,000 bytes; read it with a larger --max-line"


def test_long_lines_are_found_wherever_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    lines = [5, 2_000, 998, 999, 1_000, 7, 70_000, 70_000, 0, 0, 1_001]
    path.write_text("\n".join("x" * size for size in lines))
    with line_limit(1_000):
        assert find_long_lines(path) == [2, 5, 7, 8, 11]
    assert find_long_lines(path) == []
