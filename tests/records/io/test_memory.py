"""Sizes are read as written, and the peak is this program's."""

import sys

import numpy as np
import pytest

from posology.errors import UserError
from posology.records.io.duckdb_tables import connect_reader
from posology.records.io.memory import format_size, memory_limit, parse_size, peak_memory


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GB", 2_000_000_000), ("1.5 gb", 1_500_000_000), ("512MiB", 2**29), ("100B", 100)],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["much", "2", "-1GB", "0GB", "", "1EB", "9" * 400 + "GB"])
def test_what_is_no_size_is_an_error(text: str) -> None:
    with pytest.raises(UserError, match=r"is not a size: write 2GB or 500MB"):
        parse_size(text)


def test_sizes_are_shown_in_one_unit() -> None:
    assert [format_size(n) for n in (2_400_000_000, 812_300_000)] == ["2.4 GB", "812 MB"]


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of a program is Linux's")
def test_the_peak_grows_with_what_is_held() -> None:
    before = peak_memory()
    held = np.ones(before // 8 + 10_000_000)
    assert peak_memory() - before > 50_000_000
    assert held[-1] == 1.0


def test_what_reads_beside_the_engine_uses_at_most_its_memory(tmp_path) -> None:
    def limit() -> str:
        (row,) = connect_reader(tmp_path).sql("SELECT current_setting('memory_limit')").fetchall()
        return row[0]

    assert limit() == "953.6 MiB"
    with memory_limit(100_000_000):
        assert limit() == "95.3 MiB"
    with memory_limit(8_000_000_000):
        assert limit() == "953.6 MiB"
