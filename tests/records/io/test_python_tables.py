# ruff: noqa: DTZ001  (the times of events are wall clocks)
import decimal
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.records.batching import combine_batches
from posology.records.io.python_tables import (
    parse_cell_time,
    parse_number,
    parse_subject,
    read_rows,
)
from posology.records.schema import Rejection
from posology.records.sources.genomics.diplotypes import read_diplotypes
from posology.records.sources.questionnaires import (
    QuestionnaireTable,
    read_code_book,
    read_questionnaires,
)
from posology.records.sources.wearables import SeriesMapping, WearableSettings, read_wearables

CELLS: dict[str, pa.Array] = {
    "text": pa.array(["7", "", None]),
    "bytes": pa.array([b"\xff", b"7", None]),
    "whole": pa.array([7, -(2**63), None]),
    "real": pa.array([7.0, float("nan"), float("inf")]),
    "truth": pa.array([True, False, None]),
    "moment": pa.array([datetime(2020, 1, 1), datetime(1, 1, 1), None]),
    "zoned": pa.array([0, 1, None], pa.timestamp("us", "UTC")),
    "day": pa.array([date(2020, 1, 1), date(9999, 12, 31), None]),
    "clock": pa.array([0, 1, None], pa.time64("us")),
    "list": pa.array([[1], [], None]),
    "nested": pa.array([{"a": [None]}, {"a": None}, None]),
    "exact": pa.array([decimal.Decimal("1.5"), decimal.Decimal("7.0"), None]),
    "span": pa.array([1, 2, None], pa.duration("s")),
}


@pytest.mark.parametrize("subject", CELLS)
@pytest.mark.parametrize("time", ["text", "moment", "zoned", "day", "nested", "bytes", "real"])
def test_cells_of_any_kind_are_read_or_rejected(tmp_path: Path, subject: str, time: str) -> None:
    path = tmp_path / "a.parquet"
    for value in CELLS:
        columns = {"subject": CELLS[subject], "date": CELLS[time], "smoking": CELLS[value]}
        columns |= {"gene": CELLS[value], "diplotype": CELLS[value], "activity_score": CELLS[value]}
        pq.write_table(pa.table(columns), path)
        series = (SeriesMapping(("smoking",), "WEARABLE//x", "1", 15.0),)
        form = QuestionnaireTable("subject", "date", only=("smoking",))
        assert combine_batches(read_diplotypes([path])).rows >= 3
        assert combine_batches(read_questionnaires([path], form, read_code_book())).rows >= 3
        windows = WearableSettings("date", 24.0, series, "subject")
        assert combine_batches(read_wearables([path], windows)).rows >= 1


ANY = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.datetimes()
    | st.dates()
    | st.binary(max_size=3)
    | st.lists(st.none())
    | st.decimals()
)


@settings(deadline=None)
@given(ANY)
def test_a_cell_gives_a_value_or_an_error(cell: Any) -> None:
    for read in (
        parse_subject,
        parse_number,
        lambda c: parse_cell_time(c, ZoneInfo("Asia/Shanghai")),
    ):
        try:
            assert isinstance(read(cell), int | float)
        except ValueError as error:
            assert str(error)  # noqa: PT017  (either outcome is right; nothing else is)


def test_numbers_of_every_cell_type_are_read() -> None:
    for cell in ("7", 7, 7.0, decimal.Decimal("7.00")):
        assert (parse_subject(cell), parse_number(cell)) == (7, 7.0)
    assert parse_cell_time(2020, ZoneInfo("UTC")) == parse_cell_time(2020.0, ZoneInfo("UTC"))


def test_damaged_files_end_in_a_rejection(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine", reason="needs posology[excel]")
    rng = np.random.default_rng(0)
    good = tmp_path / "good.parquet"
    pq.write_table(pa.table({"a": np.arange(50_000)}), good)
    whole = good.read_bytes()
    broken = whole[:1000] + rng.bytes(1000) + whole[2000:]
    files = {
        "a.xlsx": rng.bytes(500),
        "b.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + rng.bytes(500),
        "c.parquet": whole[:-50],
        "d.parquet": broken,
        "e.csv.gz": b"\x1f\x8b" + rng.bytes(50),
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        (*_, (_, last)) = read_rows(path)
        assert isinstance(last, Rejection), name
        assert "damaged" in last.reason or "cannot be opened" in last.reason


def test_sheets_after_the_first_are_named_as_unread(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine", reason="needs posology[excel]")
    write_workbook(tmp_path / "a.xlsx", {"Visits": ["subject", "7"], "Drugs": ["x"], "Empty": []})
    first, *others = read_rows(tmp_path / "a.xlsx")
    assert first == (1, {"subject": "7"})
    reason = "only the first sheet is read; save this one as a file of its own"
    assert others == [(2, Rejection("sheet", "Drugs", reason))]


def write_workbook(path: Path, sheets: dict[str, list[str]]) -> None:
    """An .xlsx file whose sheets have one column of texts each."""
    office = "http://schemas.openxmlformats.org"
    main, relations = f"{office}/spreadsheetml/2006/main", f"{office}/package/2006/relationships"
    linked = f"{office}/officeDocument/2006/relationships"
    listed, links = "", ""
    with zipfile.ZipFile(path, "w") as file:
        for number, (name, cells) in enumerate(sheets.items(), start=1):
            rows = "".join(
                f'<row r="{at}"><c r="A{at}" t="inlineStr"><is><t>{cell}</t></is></c></row>'
                for at, cell in enumerate(cells, start=1)
            )
            sheet = f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'
            file.writestr(f"xl/worksheets/sheet{number}.xml", sheet)
            listed += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>'
            target = f'Type="{linked}/worksheet" Target="worksheets/sheet{number}.xml"'
            links += f'<Relationship Id="r{number}" {target}/>'
        book = f'<workbook xmlns="{main}" xmlns:r="{linked}"><sheets>{listed}</sheets></workbook>'
        file.writestr("xl/workbook.xml", book)
        whole = f'Type="{linked}/officeDocument" Target="xl/workbook.xml"'
        for place, inner in (
            ("_rels/.rels", f'<Relationship Id="r0" {whole}/>'),
            ("xl/_rels/workbook.xml.rels", links),
        ):
            file.writestr(place, f'<Relationships xmlns="{relations}">{inner}</Relationships>')
