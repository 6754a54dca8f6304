"""A table that nobody prepared: its mapping is suggested, shown, corrected and read."""

import json
import random
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.errors import RecordError
from posology.records.sources.tables.column_kinds import describe_column, unit_in_name
from posology.records.sources.tables.dialect import detect_delimiter, detect_encoding
from posology.records.sources.tables.mapping import read_mapping
from posology.records.sources.tables.months import MONTHS, guess_language, month_numbers
from posology.records.sources.tables.preview import preview_mapping
from posology.records.sources.tables.suggest import suggest_mapping
from tests.builders.browser import CHROMIUM, lay_out
from tests.records.sources.test_tables import stage

POLISH = [names.split("|")[0] for names in MONTHS["polish"]]
NAMES = [
    *("Data przyjęcia", "Płeć", "Wiek (years)", "Data urodzenia", "Masa ciała [kg]"),
    *("Rozpoznanie", "Lek", "Palenie", "Uwagi", "Pusta", "Data wypisu"),
]


def day(chosen: random.Random, years: tuple[int, int]) -> str:
    return f"{chosen.randint(1, 28)} {chosen.choice(POLISH)} {chosen.randint(*years)}"


def write_hospital(path: Path, rows: int = 60, extra: int = 89) -> None:
    """Polish, windows-1250, semicolons, decimal commas, names of months, no patient's number."""
    chosen = random.Random(3)
    lines = [";".join([*NAMES, *(f"Badanie {n} [mmol/l]" for n in range(extra))])]
    for row in range(rows):
        cells = [day(chosen, (2021, 2021)), chosen.choice("KM"), f"{chosen.randint(40, 90)}"]
        cells += [day(chosen, (1930, 1980)), f"{chosen.uniform(50, 110):.1f}".replace(".", ",")]
        cells += [chosen.choice(["I10", "E11.9"]), chosen.choice(["C07AB07", "A10BA02"])]
        cells += [chosen.choice(["tak", "nie"]), f"chory nr {row} zgłasza duszność, ból w klatce"]
        cells += ["", day(chosen, (2022, 2022))]
        cells += [f"{chosen.uniform(0, 9):.2f}".replace(".", ",") for _ in range(extra)]
        lines.append(";".join(cells))
    path.write_bytes("\n".join(lines).encode("cp1250"))


def run(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_mapping_of_100_columns_is_suggested_corrected_and_read(tmp_path: Path) -> None:
    write_hospital(tmp_path / "badanie.csv", extra=3)
    suggested = run("ingest", "--suggest", tmp_path / "badanie.csv")
    assert suggested.exit_code == 0, suggested.output
    text = suggested.stdout
    for line in (
        "# CHECK: no column looks like a patient's number, so each row is a patient.",
        'subject = "badanie-{_row}"',
        'time = "{Data przyjęcia}"',
        'time_format = "%d %B %Y"',
        'months = "polish"',
        'encoding = "cp1250"',
        'decimal = ","',
        "# sex.csv with the columns Płeć and sex, a line for each word, and here:",
        "# code = 'SEX//{sex}', join = 'sex.csv', on = \"Płeć\"",
        'code = "MEASUREMENT//LOCAL//masa_ciala"',
        'unit = "kg"',
        'code = "CONDITION//ICD10//{Rozpoznanie}"',
        'code = "DRUG//ATC//{Lek}"',
        'code = "OBSERVATION//LOCAL//palenie//{Palenie}"',
        '# "Uwagi" looks like free text: not read',
        '# "Pusta" is empty: not read',
    ):
        assert line in text.splitlines(), line
    corrected = text.replace("LOCAL//masa_ciala", "LOINC//29463-7")  # by a person: one line
    sex = 'code = "SEX//{sex}"\njoin = "sex.csv"\non = "Płeć"'  # and three
    corrected = corrected.replace('code = "SEX//{Płeć}"', sex)
    (tmp_path / "sex.csv").write_text("Płeć,sex\nK,female\nM,male\n")
    (tmp_path / "badanie.toml").write_text(corrected)
    shown = run("ingest", "--table", tmp_path / "badanie.toml", "--dry-run")
    assert shown.exit_code == 0, shown.output
    assert "MEASUREMENT//LOINC//29463-7 = " in shown.output
    assert f"{tmp_path / 'badanie.csv'} (event 3): 60 events of the first 60 rows" in shown.output
    done = run("ingest", "--table", tmp_path / "badanie.toml", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    events = pq.read_table(tmp_path / "out" / "data").to_pylist()
    assert len(events) == 60 * 12
    assert len({event["subject_id"] for event in events}) == 60
    assert {e["code"] for e in events if e["code"].startswith("SEX//")} == {
        *("SEX//female", "SEX//male")
    }
    births = {e["time"].year for e in events if e["code"] == "MEDS_BIRTH"}
    assert min(births) >= 1930 and max(births) <= 1980  # noqa: PT018
    weights = [e["numeric_value"] for e in events if e["code"].endswith("29463-7")]
    assert all(50 <= weight <= 110 for weight in weights)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_quality_report_of_a_wide_table_fits_a_screen_and_a_telephone(tmp_path: Path) -> None:
    from posology.records.pipeline.quality_page import quality_page

    code = {"events": 60, "subjects": 60, "numbers": 60, "texts": 0, "units": ["mmol/L"]}
    code |= {"quantiles": [0.001234, 123.4, 1234, 123456, 1234567], "first": "2021-01-01"}
    code |= {"last": "2021-12-31", "low": -0.001234, "high": 1234567.0}
    codes = [{**code, "code": f"MEASUREMENT//LOCAL//{'badanie_' * n}"} for n in range(1, 15)]
    row = {"source": "/home/a/" + "records/" * 12 + "a.csv", "rule": "unreadable", "rows": 5}
    row |= {"reason": "is not a date as ISO 8601; set time_format", "field": "{Data}"}
    row |= {"first_row": 1, "pattern": "A" * 24, "length": 400}
    empty = {"sources": [], "source_counts": [], "families": [], "conflicts": [], "repairs": []}
    report = {
        **empty,
        "totals": {
            **{"events": 1, "subjects": 1, "codes": 1, "first": None, "rejected": 0, "merged": 0}
        },
        "events_per_patient": {"median": None},
        "codes": codes,
        "rejected": [row],
        "gaps": ["MEASUREMENT//LOCAL//" + "x" * 200],
    }
    frames = [(1280, "light"), (390, "dark")]
    layouts = lay_out(quality_page(report, {}, "events"), tmp_path, frames)
    for layout, (width, _) in zip(layouts, frames, strict=True):
        assert layout.scroll_width <= width
        assert layout.faint == []
    assert layouts[0].overflowing == [], "at 1,280 px no table needs to be scrolled"
    assert [layout.background for layout in layouts] == ["rgb(255, 255, 255)", "rgb(17, 23, 29)"]


def test_dates_numbers_and_offsets_as_the_mapping_says(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "id|wann|wert\n1|3. März 2021|1.234,5\n1|5 Mai 2021|<5,2\n2|12.2021|5.5\n2|2020|x\n"
        "2|2021-01-02T03:04:05|7\n"
    )
    events, rejected, rows = stage(
        tmp_path,
        'file = "a.csv"\nsubject = "id"\ntime = "{wann}"\nmonths = "german"\ndecimal = ","\n'
        'time_format = ["%d. %B %Y", "%d %B %Y", "%m.%Y", "%Y", "iso"]\n'
        '[[event]]\ncode = "LAB//x"\nvalue = "wert"\noffset = 90\noffset_unit = "min"\n'
        '[[event]]\ncode = "SEX//f"\nstatic = true\n',
    )
    assert (rejected, rows) == ([], 10)
    found = [(e["time"], e["numeric_value"], e["text_value"]) for e in events[:5]]
    assert found == [
        (datetime(2021, 3, 3, 1, 30), 1234.5, None),  # noqa: DTZ001
        (datetime(2021, 5, 5, 1, 30), None, "<5.2"),  # noqa: DTZ001
        (datetime(2022, 1, 1, 1, 29, 59), 5.5, None),  # noqa: DTZ001  (no thousands: a point)
        (datetime(2021, 1, 1, 1, 29, 59), None, "x"),  # noqa: DTZ001
        (datetime(2021, 1, 2, 4, 34, 5), 7.0, None),  # noqa: DTZ001
    ]
    assert {event["time"] for event in events[5:]} == {None}


def test_a_row_number_is_a_subject_and_a_utf16_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("wert;ort\n5;Łódź\n6;Gdańsk\n", encoding="utf-16")
    mapping = 'file = "a.csv"\nsubject = "s{_row}"\n[[event]]\ncode = "A//{ort}"\nvalue = "wert"\n'
    events, _, _ = stage(tmp_path, mapping)
    assert [event["code"] for event in events] == ["A//Łódź", "A//Gdańsk"]
    assert len({event["subject_id"] for event in events}) == 2


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("zażółć gęślą jaźń", "cp1250"), ("Größe, café, 5 µg", "cp1252"), ("zażółć", "utf-8")],
)
def test_encodings_are_told_apart(text: str, encoding: str) -> None:
    assert detect_encoding(text.encode(encoding)) == encoding


def test_a_sample_that_ends_within_a_character_is_utf8() -> None:
    assert detect_encoding(b"a" + "ż".encode()[:1]) == "utf-8"


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a;b;c\n1;2,5;3\n", ";"),
        ("a,b\n1,2\n", ","),
        ('a;b\n"x,y,z";2\n', ";"),
        ("a|b\n1|2", "|"),
        ("a\n1\n", ","),
        ("a;b\r1;2\r3;4", ";"),
        ("a;b\n" + ";" * 10 + "9" * 200_000, ","),
        ("a\tb\n1\t2", "\t"),
    ],
)
def test_delimiters_are_told_apart(text: str, delimiter: str) -> None:
    assert detect_delimiter(text, Path("a.csv")) == delimiter


def test_months_of_every_language_and_spelling_are_numbers() -> None:
    for language, names in MONTHS.items():
        for number, spellings in enumerate(names, start=1):
            for name in spellings.split("|"):
                for text in (f"3 {name.upper()} 2020", f"3-{name}.-2020"):
                    assert month_numbers(text, language).replace("-", " ") == f"3 {number:02d} 2020"
    assert guess_language(["3 maja 2020", "1 gru 2021"]) == "polish"
    assert guess_language(["3 May 2020"]) is None


@pytest.mark.parametrize(
    ("name", "cells", "kind", "detail"),
    [
        ("MRN", ["1", "2"], "subject", None),
        ("patient_nbr", ["1", "2"], "subject", None),
        ("Patienten-ID", ["1", "2"], "subject", None),
        ("Fallnummer", ["1", "2"], "subject", None),
        ("Notfall", ["1", "0"], "category", None),
        ("age", ["64", "65"], "number", None),
        ("visit date", ["02/13/2020"], "date", ("%m/%d/%Y",)),
        ("visit date", ["02/03/2020"], "date", ("%d/%m/%Y",)),
        ("measured", ["2020-01-02 10:00"], "date", ()),
        ("dob", ["1950"], "birth", ()),
        ("score", ["1950", "2001"], "number", None),
        ("lab", ["4548-4", "2345-7"], "code", "LOINC"),
        ("smoker", ["0", "1", "1"], "category", None),
        ("comment", [f"text {n} of many words" for n in range(20)], "text", None),
        ("age", [*(str(n) for n in range(60, 80)), "90+"], "bound", None),
        ("protein", ["0", "1+", "2+", "1+"], "category", None),
    ],
)
def test_what_a_column_probably_is(name: str, cells: list, kind: str, detail: object) -> None:
    column = describe_column(name, cells)
    assert column.kind == kind
    if detail is not None:
        assert detail in (column.formats, column.system)
    assert column.ambiguous == (cells == ["02/03/2020"])


@pytest.mark.parametrize(
    ("cells", "kind", "missing"),
    [
        (["21,0", "NA", "unbekannt", "8"], "number", ("NA", "unbekannt")),
        (["1", "?", "2", "."], "number", (".", "?")),
        (["01.02.2020", "-", "03.02.2020"], "date", ("-",)),
        (["0", "1", "1", "n/a"], "category", ("n/a",)),
        (["-", "+", "+", "-"], "category", ()),
        (["NA", "NA"], "category", ()),
    ],
)
def test_cells_that_say_that_nothing_is_known(cells: list, kind: str, missing: tuple) -> None:
    column = describe_column("x", cells)
    assert (column.kind, column.missing) == (kind, missing)


def test_missing_cells_are_read_as_empty_in_every_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,day,x,y\n1,2020-01-01,NA,ok\n2,NA,5,k.A.\n3,k.A.,6,ok\n")
    mapping = (
        'file = "a.csv"\nsubject = "id"\ntime = "{day}"\nmissing = ["NA", "k.A."]\n'
        '[[event]]\ncode = "LAB//x"\nvalue = "x"\nwhen = "x"\ntimeless = true\n'
        '[[event]]\ncode = "Y//{y}"\nstatic = true\nwhen = "y"\n'
    )
    events, rejected, _ = stage(tmp_path, mapping)
    found = [(e["code"], e["time"], e["numeric_value"]) for e in events]
    nothing = ("Y//ok", None, None)
    assert found == [("LAB//x", None, 5.0), ("LAB//x", None, 6.0), nothing, nothing]
    assert rejected == []
    suggested = run("ingest", "--suggest", tmp_path / "a.csv").output
    assert 'missing = ["NA", "k.A."]  # CHECK: such cells are read as empty' in suggested


def test_numbers_with_a_decimal_comma_are_not_lost_in_silence(tmp_path: Path) -> None:
    rows = "".join(f"{n};2021-03-02;{60 + n},5\n" for n in range(20))
    (tmp_path / "a.csv").write_text("id;day;crea\n" + rows)
    mapping = 'file = "a.csv"\nsubject = "id"\ntime = "{day}"\n'
    (tmp_path / "a.toml").write_text(f'{mapping}[[event]]\ncode = "LAB//crea"\nvalue = "crea"\n')
    shown = run("ingest", "--table", tmp_path / "a.toml", "--dry-run")
    assert "CHECK: cells of 'crea' have a comma and stay texts: decimal = \",\"?" in shown.output
    done = run("ingest", "--table", tmp_path / "a.toml", "--out", tmp_path / "out")
    sentence = (
        "LAB//crea: 20 of 20 values are texts like 61,5: if the comma is a decimal mark, set "
        'decimal = "," in the mapping'
    )
    assert done.output.splitlines()[0] == f"Check the mapping: {sentence}"
    assert json.loads((tmp_path / "out" / "quality.json").read_text())["gaps"][0] == sentence
    mended = mapping + 'decimal = ","\n[[event]]\ncode = "LAB//crea"\nvalue = "crea"\n'
    (tmp_path / "a.toml").write_text(mended)
    done = run("ingest", "--table", tmp_path / "a.toml", "--out", tmp_path / "other")
    assert "Check the mapping" not in done.output


def test_ages_that_are_censored_are_named_however_many_they_are(tmp_path: Path) -> None:
    ages = [str(60 + n) for n in range(20)] + ["90+"] * 10 + [">=90"]
    rows = "".join(f"{n},2021-03-02,{age}\n" for n, age in enumerate(ages))
    (tmp_path / "a.csv").write_text(f"id,day,age\n{rows}")
    (tmp_path / "a.toml").write_text(
        'file = "a.csv"\nsubject = "id"\ntime = "{day}"\n[[event]]\ncode = "BASELINE//age"\n'
        'value = "age"\nunit = "years"\n'
    )
    done = run("ingest", "--table", tmp_path / "a.toml", "--out", tmp_path / "out")
    sentence = (
        f"{tmp_path / 'a.csv'} (event 1), column age: 10 of 30 cells are no numbers (the first in "
        "row 21, of the form 99+); kept as text, and not used where BASELINE//age is read as a "
        "number; write >=90 for 90+ to have the bound read as the number"
    )
    assert done.output.splitlines()[0] == f"Check the data: {sentence}"
    report = json.loads((tmp_path / "out" / "quality.json").read_text())
    assert report["gaps"][0] == sentence
    assert {
        "rule": "text_number",
        "rows": 1,
        "what": "a number written as text ('1,200'), or a bound read as its number ('<5', "
        "'>=90'); the text is kept too",
    } in report["repairs"]
    assert (
        '# "age" has numbers that are only known to be as large, such as 90+; write >=90 to have '
        "90 read: not read" in suggest_mapping(tmp_path / "a.csv")
    )


def test_a_text_in_a_column_of_numbers_is_named_by_column_and_row(tmp_path: Path) -> None:
    values = [str(n) for n in range(40)]
    values[6], values[20], values[25] = "<5.2", "fourty", '"61,5"'
    rows = "".join(f"{n},2021-03-02,{value},yes\n" for n, value in enumerate(values))
    (tmp_path / "a.csv").write_text(f"id,day,crea,smoker\n{rows}")
    (tmp_path / "a.toml").write_text(
        'file = "a.csv"\nsubject = "id"\ntime = "{day}"\n[[event]]\ncode = "LAB//crea"\n'
        'value = "crea"\n[[event]]\ncode = "SMOKER"\nvalue = "smoker"\n'
    )
    sentence = (
        f"{tmp_path / 'a.csv'} (event 1), column crea: 2 of 39 cells are no numbers (the first in "
        "row 21, of the form aaaa); kept as text, and not used where LAB//crea is read as a number"
    )
    shown = list(preview_mapping(tmp_path / "a.toml"))
    assert [line for line in shown if "CHECK" in line and "no number" in line] == [
        f"  CHECK: {sentence}"
    ]
    done = run("ingest", "--table", tmp_path / "a.toml", "--out", tmp_path / "out")
    assert done.output.splitlines()[0] == f"Check the data: {sentence}"
    assert json.loads((tmp_path / "out" / "quality.json").read_text())["gaps"][0] == sentence
    assert "fourty" not in (tmp_path / "out" / "quality.html").read_text(), "a text may be a name"


def test_units_in_names_of_columns() -> None:
    names = ["Hb [g/dl]", "weight_kg", "crea_umol_l", "SpO2 (%)", "HbA1c %", "name", "days_of_week"]
    assert [unit_in_name(n) for n in names] == ["g/dL", "kg", "umol/L", "%", "%", None, None]


MISTAKES = {
    "no subject": ("[[event]]\ncode = 'A'\nfile = 'a.csv'", "event 1: needs `subject`, its own or"),
    "months": ("months = 'klingon'", "months 'klingon' is not one of polish, german"),
    "no %B": ("months = 'polish'", 'months needs a time_format with %B, such as "%d %B %Y"'),
    "decimal": ("decimal = ';'", 'event 1: decimal \';\' is not "." or ","'),
    "delimiter": ("delimiter = ';;'", "event 1: delimiter ';;' is not one character"),
    "encoding": ("encoding = 'utf8000'", "event 1: encoding 'utf8000' is not known; write such as"),
    "format": ("time_format = 'dd'", "event 1: time_format 'dd' has no %; write such as %d/%m/%Y"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_the_mapping_names_the_block_and_the_mend(tmp_path: Path, name: str) -> None:
    line, expected = MISTAKES[name]
    rest = 'file = "a.csv"\nsubject = "id"\n[[event]]\ncode = "A"\n'
    (tmp_path / "map.toml").write_text(line if "[[event]]" in line else f"{line}\n{rest}")
    with pytest.raises(RecordError) as caught:
        read_mapping(tmp_path / "map.toml")
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("who,when,x", "(event 1): has no column 'id'; its columns are 'who', 'when', 'x'"),
        ("ident,x,idd", "has no column 'id'; did you mean 'idd'? its columns are"),
        ("17,2020-01-02,5.5", "has no column 'id'; its first line looks like data, not like names"),
        (",".join(f"c{n}" for n in range(50)), "needs an [[event]], which `posology ingest --sugg"),
    ],
)
def test_a_missing_column_guesses_the_mistake(tmp_path: Path, header: str, expected: str) -> None:
    (tmp_path / "a.csv").write_text(f"{header}\n")
    (tmp_path / "map.toml").write_text('file = "a.csv"\nsubject = "id"\n[[event]]\ncode = "A"\n')
    with pytest.raises(RecordError) as caught:
        list(preview_mapping(tmp_path / "map.toml"))
    assert expected in str(caught.value)
    assert "2020-01-02" not in str(caught.value), "data are not shown"


def test_a_dry_run_shows_refused_rows_by_pattern_and_suspects_columns(tmp_path: Path) -> None:
    rows = "".join(f"7,2020-01-0{n % 9 + 1},word {n},x\n" for n in range(60))
    (tmp_path / "a.csv").write_text(f"id,at,note,v\n{rows}7,24.12.1950,a,b\n")
    (tmp_path / "map.toml").write_text(
        'file = "a.csv"\nsubject = "id"\ntime = "{at}"\n'
        '[[event]]\ncode = "A//{note}"\nvalue = "v"\nunit = "mg"\n'
    )
    lines = list(preview_mapping(tmp_path / "map.toml"))
    assert lines[0] == f"{tmp_path / 'a.csv'} (event 1): 60 events of the first 61 rows"
    assert lines[1] == "  row 1: 2020-01-01 00:00:00 A//word 0 mg 'x'"
    assert lines[6:] == [
        "  rejected: 1 rows, {at} is not a date as ISO 8601; set time_format, such as %d/%m/%Y "
        "(99.99.9999)",
        "  CHECK: most cells of 'v' are no numbers, but the events have a unit",
        "  CHECK: 60 different codes in 60 events: A//{note} names a text",
        "  CHECK: all rows are of one patient: 'id' may be a wrong column",
    ]


@pytest.mark.parametrize("content", ["", "a,b\n", "a,a\n1,2\n"])
def test_nothing_is_suggested_without_rows_or_names(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(RecordError, match=r"has no rows below a row of column names|'a' twice"):
        suggest_mapping(tmp_path / "a.csv")
    with pytest.raises(RecordError, match=r"gone.csv: is no table; give a file of .csv"):
        suggest_mapping(tmp_path / "gone.csv")


@pytest.mark.parametrize(
    ("good", "bad"), [("2024-02-11", "2024-02-31"), ("11.02.2024", "31.02.2024")]
)
def test_a_date_column_with_one_impossible_date_stays_one(
    tmp_path: Path, good: str, bad: str
) -> None:
    path = tmp_path / "visits.csv"
    cells = [good] * 19 + [bad]
    rows = [f"{number},{cell},12.{number}" for number, cell in enumerate(cells)]
    path.write_text("\n".join(["patient,visit,hb", *rows]))
    mapping = suggest_mapping(path)
    assert 'time = "{visit}"' in mapping
    assert "# CHECK: 1 cell is no date: rows with such a one are rejected." in mapping
    path.write_text("\n".join(["patient,visit,hb", *rows[:19]]))
    assert "no date" not in suggest_mapping(path)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.csv",
            "Report of 2024;;\n;;\nid;day;x\n1;2024-01-01;5\n",
            "2 of the 3 cells of its first",
        ),
        ("a.csv", "Report of 2024\nid;day;x\n1;2024-01-01;5\n", "looks like a title; delete"),
        (
            "a.xlsx",
            "PK",
            r"a.xlsx: is no table; give a file of .* \(save the sheet of a spreadsheet",
        ),
    ],
)
def test_what_stands_above_the_names_and_spreadsheets_are_named(
    tmp_path: Path, name: str, content: str, expected: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(RecordError, match=expected):
        suggest_mapping(tmp_path / name)


def test_a_separator_at_the_end_of_each_line_is_an_empty_column(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id;day;x;\n1;2024-01-01;5;\n2;2024-01-02;6;\n")
    text = suggest_mapping(tmp_path / "a.csv")
    assert '# "column_4" is empty: not read' in text
    events, rejected, _ = stage(tmp_path, text)
    assert [event["numeric_value"] for event in events if event["numeric_value"]] == [5.0, 6.0]
    assert rejected == []


def test_a_table_in_place_of_a_mapping_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("Größe\n".encode("cp1252"))
    with pytest.raises(
        RecordError, match="is a table, and --table wants a mapping file; `posology"
    ):
        read_mapping(tmp_path / "a.csv")
