from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posology.errors import RecordError
from posology.records.batching import combine_batches
from posology.records.schema import Batch, Event
from posology.records.sources.code_book import Answer, CodeBook, answer_event, read_code_book
from posology.records.sources.questionnaires import QuestionnaireTable, read_questionnaires

BOOK = """
name = "small"
version = "1"
[[question]]
code = "LIFESTYLE//smoking_status"
asked_as = ["smoking", "Do you smoke?"]
source = "own"
answers = { "yes" = "every_day", "No" = "never" }
[[question]]
code = "LIFESTYLE//alcohol_frequency"
asked_as = ["alcohol"]
source = "own"
answers = { "never" = 0, "daily" = 4 }
[[question]]
code = "LIFESTYLE//sleep_hours"
asked_as = ["sleep"]
source = "own"
unit = "h"
"""


@pytest.fixture(name="book")
def small_book(tmp_path: Path) -> CodeBook:
    path = tmp_path / "book.toml"
    path.write_text(BOOK)
    return read_code_book(path)


def read(folder: Path, text: str | bytes, form: QuestionnaireTable, book: CodeBook) -> Batch:
    path = folder / "forms.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return combine_batches(read_questionnaires([path], form, book))


def events_of(batch: Batch) -> list[tuple[object, ...]]:
    keys = ["subject_id", "code", "numeric_value", "text_value", "unit"]
    return list(zip(*(batch.events[k].to_pylist() for k in keys), strict=True))


WIDE = QuestionnaireTable("id", "date", ignore=("ward",))


def test_a_table_of_one_row_per_form_is_read(tmp_path: Path, book: CodeBook) -> None:
    table = (
        "id,date,ward,Smoking,alcohol,sleep,colour\n"
        "7,2020-01-02,A,YES,daily,6.5,\n"
        "8,2020-01-02,A,perhaps,,<5,red\n"
        "9,2020-01-02,A,,,,\n"
        "10,never,A,no,,,\n"
        "11,2020-01-02,A,,,long,\n"
    )
    batch = read(tmp_path, table, WIDE, book)
    assert events_of(batch) == [
        (7, "LIFESTYLE//smoking_status//every_day", None, None, None),
        (7, "LIFESTYLE//alcohol_frequency", 4.0, None, None),
        (7, "LIFESTYLE//sleep_hours", 6.5, None, "h"),
        (8, "LIFESTYLE//sleep_hours", None, "<5", "h"),
    ]
    rejected = [(r["row"], r["field"], r["value"], r["reason"]) for r in batch.rejected.to_pylist()]
    assert rejected == [
        (2, "Smoking", "perhaps", "not an answer to LIFESTYLE//smoking_status"),
        (2, "colour", "colour", "a question the code book does not know"),
        (3, "row", "", "no question is answered"),
        (4, "date", "never", "is not a date"),
        (5, "sleep", "long", "LIFESTYLE//sleep_hours is answered by a number"),
    ]
    assert batch.rows == 7


def test_a_table_of_one_row_per_answer_is_read(tmp_path: Path, book: CodeBook) -> None:
    form = QuestionnaireTable("id", "when", "q", "a", time_format="%d/%m/%Y")
    table = "id,when,q,a\n7,31/12/2019,do you  SMOKE?,no\n7,2019-12-31,smoking,no\n"
    batch = read(tmp_path, table, form, book)
    assert events_of(batch) == [(7, "LIFESTYLE//smoking_status//never", None, None, None)]
    assert str(batch.events["time"].to_pylist()[0]) == "2019-12-31 00:00:00"
    assert batch.rejected["reason"].to_pylist() == ["is not a date written as %d/%m/%Y"]


def test_answers_that_a_spreadsheet_made_numbers_are_read(tmp_path: Path) -> None:
    (tmp_path / "coded.toml").write_text(BOOK.replace('"yes" =', '"1" =').replace('"No"', '"2"'))
    cells = {"id": [7.0, 8.0], "date": ["2020-01-02"] * 2, "smoking": [1.0, 2.0]}
    pq.write_table(pa.table(cells), tmp_path / "forms.parquet")
    book = read_code_book(tmp_path / "coded.toml")
    form = QuestionnaireTable("id", "date", subject_pattern=r"^(\d+)$")
    batch = combine_batches(read_questionnaires([tmp_path / "forms.parquet"], form, book))
    assert [event[:2] for event in events_of(batch)] == [
        (7, "LIFESTYLE//smoking_status//every_day"),
        (8, "LIFESTYLE//smoking_status//never"),
    ]


def test_wrong_encodings_and_long_texts_are_rejected_alone(tmp_path: Path, book: CodeBook) -> None:
    table = "id,date,smoking\n7,2020-01-01,é\n8,2020-01-01,yes\n".encode("latin-1")
    table += b'9,2020-01-01,"' + b"x" * 10_000_000 + b'"\n10,2020-01-01,yes,more\n'
    batch = read(tmp_path, table, WIDE, book)
    assert batch.events["subject_id"].to_pylist() == [8]
    assert [r["reason"] for r in batch.rejected.to_pylist()] == [
        "is not UTF-8; convert the file, for example with iconv",
        "not an answer to LIFESTYLE//smoking_status",
        "has 4 cells where the header has 3",
    ]


def test_an_open_quote_is_rejected_with_its_number_of_lines(tmp_path: Path, book: CodeBook) -> None:
    batch = read(tmp_path, 'id,date,smoking\n7,"2020-01-01,yes\n8,2020-01-01,yes\n', WIDE, book)
    assert batch.rejected["reason"].to_pylist() == [
        "has 2 cells where the header has 3; a quote may be open: 3 lines of the file stand in "
        "this row"
    ]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=200))
def test_no_bytes_cause_a_traceback(tmp_path: Path, book: CodeBook, noise: bytes) -> None:
    batch = read(tmp_path, b"id,date,smoking\n7,2020-01-01,yes\n" + noise, WIDE, book)
    assert batch.rows >= 1


def test_every_name_in_the_lifestyle_book_has_one_meaning() -> None:
    book = read_code_book()
    question = book.find(["72166-2"])
    assert question is not None
    assert question.code == "LIFESTYLE//smoking_status"
    assert question.answers["never smoker"] == "never"
    days = answer_event(Answer(["89555-7"], ["LA6114-8", "3 days"], 0, "q"), book)
    assert days == Event("LIFESTYLE//exercise_days_a_week", 0, 3.0, None, "d/wk")
    assert answer_event(Answer(["89555-7"], [3], 0, "q"), book) == days
    families = {q.code.split("//")[1].split("_")[0] for q in book.questions.values()}
    assert families >= {"smoking", "alcohol", "diet", "exercise", "sleep"}
    assert all(question.source for question in book.questions.values())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("unit", "units"), r"question 3: unknown key 'units'; did you mean 'unit'\?"),
        (('["sleep"]', '["smoking"]'), "'smoking' asks for both LIFESTYLE//smoking_status and"),
        (('version = "1"', "version = 1"), "version: Input should be a valid string, not 1"),
        (('name = "small"', "name = "), "is not TOML in UTF-8"),
    ],
)
def test_an_invalid_book_is_an_error_that_names_the_place(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    path = tmp_path / "book.toml"
    path.write_text(BOOK.replace(*change))
    with pytest.raises(RecordError, match=message):
        read_code_book(path)


def test_invalid_settings_are_errors(tmp_path: Path, book: CodeBook) -> None:
    with pytest.raises(RecordError, match="needs both `question` and `answer`"):
        QuestionnaireTable("id", "date", question="q")
    with pytest.raises(RecordError, match="has no column 'date'; its columns are 'id', 'x'"):
        read(tmp_path, "id,x\n1,2\n", WIDE, book)
    with pytest.raises(RecordError, match="is empty; a table begins with a row of column names"):
        read(tmp_path, "", WIDE, book)
    with pytest.raises(RecordError, match=r"'\(' is not a regular expression"):
        QuestionnaireTable("id", "date", subject_pattern="(")
    with pytest.raises(RecordError, match="'x' needs a group in parentheses"):
        QuestionnaireTable("id", "date", time_pattern="x")


def test_shanghais_smoking_and_drinking_are_read(shared: Path) -> None:
    pytest.importorskip("python_calamine", reason="needs posology[excel]")
    folder = shared / "data" / "records" / "shanghai"
    drinking = "Alcohol Drinking History (drinker/non-drinker)"
    form = QuestionnaireTable(
        "Patient Number",
        "Patient Number",
        only=("Smoking History (pack year)", drinking),
        subject_pattern=r"^(\d+)_",
        time_pattern=r"_(\d{8})$",
        time_format="%Y%m%d",
    )
    path = folder / "Shanghai_T2DM_Summary.xlsx"
    batch = combine_batches(read_questionnaires([path], form, read_code_book()))
    codes = Counter(batch.events["code"].to_pylist())
    assert codes.total() + batch.rejected.num_rows == 2 * 109
    assert codes["LIFESTYLE//alcohol_drinker//no"] > 80
    assert {r["reason"] for r in batch.rejected.to_pylist()} <= {
        "not an answer to LIFESTYLE//alcohol_drinker",
        "LIFESTYLE//pack_years is answered by a number",
    }
