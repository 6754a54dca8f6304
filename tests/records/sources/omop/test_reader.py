# ruff: noqa: E501 (headers of the CDM are long)
import zipfile
from datetime import datetime
from types import SimpleNamespace

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from posology.errors import RecordError
from posology.records.pipeline.ingest import ingest
from posology.records.sources.omop.reader import _meanings
from posology.records.sources.registry import make_sources
from tests.builders.raw_events import events_of

PERIOD = "OBSERVATION_PERIOD"
TABLES = {
    "CONCEPT": """concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code
1310149,warfarin,Drug,RxNorm,Ingredient,S,11289
40163554,warfarin 5 MG Tablet,Drug,RxNorm,Clinical Drug,S,855332
4329847,Myocardial infarction,Condition,SNOMED,Clinical Finding,S,22298006
3004501,Glucose,Measurement,LOINC,Lab Test,S,2345-7
8840,milligram per deciliter,Unit,UCUM,Unit,S,mg/dL
8576,milligram,Unit,UCUM,Unit,S,mg
4181412,Present,Meas Value,SNOMED,Qualifier Value,S,52101004
""",
    "PERSON": """person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime,race_concept_id,ethnicity_concept_id,location_id,gender_source_value
1,8507,1950,3,30,,8527,38003564,5,M
2,0,1960,,,,0,0,,other
3,8532,,,,,0,0,,F
""",
    "LOCATION": "location_id,city,state,zip\n5,Town,NJ,07001\n",
    "VISIT_OCCURRENCE": """visit_occurrence_id,person_id,visit_concept_id,visit_start_date,visit_start_datetime,visit_end_date,visit_end_datetime,visit_source_value
10,1,9201,2020-01-01,2020-01-01 08:00:00,2020-01-05,2020-01-05 12:00:00,
11,1,9202,2020-02-01,,,,
""",
    "CONDITION_OCCURRENCE": """condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_start_datetime,visit_occurrence_id,condition_source_value
20,1,4329847,2020-01-01,,10,I21
21,1,4329847,2020-02-01,,11,I21
22,1,0,2020-02-01,,,local 7
23,1,0,2020-02-01,,,
24,1,4329847,not a date,,,
25,,4329847,2020-02-01,,,
""",
    "DRUG_EXPOSURE": """drug_exposure_id,person_id,drug_concept_id,drug_exposure_start_date,drug_exposure_start_datetime,drug_exposure_end_date,drug_type_concept_id,quantity,days_supply,sig,route_source_value
30,1,40163554,2020-01-02,2020-01-02 09:00:00,2020-01-11,32838,10,10,,oral
31,1,40163554,2020-01-02,,2020-01-11,32818,20,,take two,
32,2,40163554,2020-01-02,,,38000175,-3,10,,
""",
    "DRUG_STRENGTH": """drug_concept_id,ingredient_concept_id,amount_value,amount_unit_concept_id,numerator_value,numerator_unit_concept_id,denominator_value,denominator_unit_concept_id
40163554,1310149,5,8576,,,,
""",
    "MEASUREMENT": """measurement_id,person_id,measurement_concept_id,measurement_date,measurement_datetime,operator_concept_id,value_as_number,value_as_concept_id,unit_concept_id,unit_source_value,measurement_source_value,value_source_value
40,1,3004501,2020-01-02,2020-01-02 10:00:00,0,90,0,8840,,,90
41,1,3004501,2020-01-02,,4171756,5,0,0,mmol/L,,
42,1,99,2020-01-02,,,,4181412,,,,
43,1,3004501,2020-01-02,,,NaN,,,,,
""",
    "OBSERVATION": """observation_id,person_id,observation_concept_id,observation_date,value_as_number,value_as_string,value_as_concept_id,unit_concept_id,observation_source_value
50,1,0,2020-01-02,,"20 packs a year",0,0,smoking
""",
    "DEATH": "person_id,death_date,death_datetime,cause_concept_id\n1,2021-03-04,,4329847\n",
}


@pytest.fixture
def cdm(tmp_path):
    folder = tmp_path / "cdm"
    folder.mkdir()
    for name, text in TABLES.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def keep_only(cdm, *names):
    for name in TABLES.keys() - set(names):
        (cdm / f"{name}.csv").unlink()


def stage(place, folder):
    folder.mkdir()
    staged = make_sources("omop", [str(place)])[0].stage(None, folder)
    events = [row for path in staged.events for row in pq.read_table(path).to_pylist()]
    rejected = [row for path in staged.rejected for row in pq.read_table(path).to_pylist()]
    return events, rejected, staged


def family_events(events, family):
    rows = [e for e in events if e["code"].split("//")[0] == family]
    return [
        (e["row"], e["time"], e["code"], e["numeric_value"], e["text_value"], e["unit"])
        for e in sorted(rows, key=lambda e: (e["row"], e["code"]))
    ]


def at(*parts):
    return datetime(*parts)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("year", "month", "day", "birth"),
    [
        (1952, 2, 29, at(1952, 2, 29)),
        (1950, 12, 31, at(1950, 12, 31)),
        (1950, 2, 29, None),
        (1950, 4, 31, None),
        (1950, 1, 32, None),
        (1950, 13, 30, None),
        (1950, 1, 2**63 - 1, None),
        (1950, 1, -(2**63), None),
    ],
)
def test_a_day_beyond_the_end_of_its_month_rejects_only_its_row(tmp_path, year, month, day, birth):
    (tmp_path / "cdm").mkdir()
    (tmp_path / "cdm" / "person.csv").write_text(
        f"person_id,year_of_birth,month_of_birth,day_of_birth\n1,{year},{month},{day}\n2,1960,1,1\n"
    )
    events, rejected, _ = stage(tmp_path / "cdm", tmp_path / "staged")
    births = [(1, birth)] if birth else []
    assert [(e["subject_id"], e["time"]) for e in events] == [*births, (2, at(1960, 1, 1))]
    assert [r["reason"] for r in rejected] == ([] if birth else ["is not a date"])


def test_a_vocabulary_as_athena_writes_it_is_read(tmp_path):
    folder = tmp_path / "cdm"
    folder.mkdir()
    (folder / "person.csv").write_text("person_id;year_of_birth\n1;1950\n")
    (folder / "condition_occurrence.csv").write_text(
        "condition_occurrence_id,person_id,condition_concept_id,condition_start_date\n"
        "1,1,7,2020-01-01\n2,1,8,2020-01-01\n"
    )
    (folder / "CONCEPT.csv").write_text(
        "concept_id\tconcept_name\tvocabulary_id\tconcept_code\n"
        '6\t"Sick" leave, 5" and more\tSNOMED\t16\n7\t"Alice syndrome\tSNOMED\t17\n'
        "8\tFever\tSNOMED\t18\n"
    )
    events, rejected, staged = stage(folder, tmp_path / "staged")
    conditions = family_events(events, "CONDITION")
    assert [code for _, _, code, *_ in conditions] == [
        "CONDITION//SNOMED//17",
        "CONDITION//SNOMED//18",
    ]
    assert not rejected
    assert staged.meanings["CONDITION//SNOMED//17"] == '"Alice syndrome'


def test_each_table_becomes_events_of_the_profile(cdm, tmp_path):
    events, rejected, staged = stage(cdm, tmp_path / "staged")
    infarct = "CONDITION//SNOMED//22298006"
    assert [(e["subject_id"], e["time"]) for e in events if e["code"] == "MEDS_BIRTH"] == [
        (1, at(1950, 3, 30)),
        (2, at(1960, 1, 1)),
    ]
    assert [e[2] for e in family_events(events, "SEX")] == [
        "SEX//male",
        "SEX//SOURCE//other",
        "SEX//female",
    ]
    assert [e[2] for e in family_events(events, "RACE")] == ["RACE//White"]
    assert [e[2] for e in family_events(events, "LOCATION")] == ["LOCATION//ZIP//07001"]
    assert family_events(events, "VISIT") == [
        (10, at(2020, 1, 5, 12), "VISIT//IMP//end", None, None, None),
        (10, at(2020, 1, 1, 8), "VISIT//IMP//start", None, None, None),
        (11, at(2020, 2, 1), "VISIT//AMB//start", None, None, None),
    ]
    assert family_events(events, "CONDITION") == [
        (20, at(2020, 1, 5, 12), infarct, None, None, None),  # known when the stay ended
        (21, at(2020, 2, 1), infarct, None, None, None),
        (22, at(2020, 2, 1), "CONDITION//SOURCE//local_7", None, None, None),
    ]
    drug = "DRUG//RXNORM//855332"
    assert family_events(events, "DRUG") == [
        (30, at(2020, 1, 2, 9), f"{drug}//ordered", None, "route oral", None),
        (31, at(2020, 1, 2), f"{drug}//given", None, "take two", None),
        (32, at(2020, 1, 2), f"{drug}//dispensed", None, None, None),
    ]
    assert family_events(events, "DRUG_PER_DAY") == [
        (30, at(2020, 1, 2, 9), "DRUG_PER_DAY//RXNORM//11289//ordered", 5.0, None, "mg/d"),
        (31, at(2020, 1, 2), "DRUG_PER_DAY//RXNORM//11289//given", 10.0, None, "mg/d"),
    ]
    glucose = "MEASUREMENT//LOINC//2345-7"
    assert [row[:5] + row[5:] for row in family_events(events, "MEASUREMENT") if row[0] != 43] == [
        (40, at(2020, 1, 2, 10), glucose, 90.0, None, "mg/dL"),
        (41, at(2020, 1, 2), glucose, 5.0, "<5", "mmol/L"),
        (42, at(2020, 1, 2), "MEASUREMENT//OMOP//99//SNOMED//52101004", None, "Present", None),
    ]
    assert family_events(events, "OBSERVATION")[0][2:5] == (
        "OBSERVATION//SOURCE//smoking",
        None,
        "20 packs a year",
    )
    assert family_events(events, "MEDS_DEATH")[0][1] == at(2021, 3, 4)
    assert family_events(events, "CAUSE_OF_DEATH")[0][2] == "CAUSE_OF_DEATH//SNOMED//22298006"
    assert [
        (r["source"].split("#")[1], r["row"], r["field"], r["value"], r["reason"]) for r in rejected
    ] == [
        ("person", 3, "year_of_birth", None, "is not a date"),
        (
            "condition_occurrence",
            23,
            "condition_concept_id",
            "0",
            "has neither a concept nor a source value",
        ),
        ("condition_occurrence", 24, "condition_start_date", "not a date", "is not a date"),
        ("condition_occurrence", 25, "person_id", None, "names no subject"),
    ]
    assert staged.rows == 20
    assert staged.meanings[infarct] == "Myocardial infarction"


@pytest.mark.parametrize("lacking", TABLES["DRUG_STRENGTH"].split("\n")[0].split(","))
def test_a_strength_table_without_a_column_gives_the_other_doses(cdm, tmp_path, lacking):
    keep_only(cdm, "CONCEPT", "PERSON", "DRUG_EXPOSURE", "DRUG_STRENGTH")
    header, row, _ = (line.split(",") for line in TABLES["DRUG_STRENGTH"].split("\n"))
    remaining = [n for n, name in enumerate(header) if name != lacking]
    lines = [",".join(cells[n] for n in remaining) for cells in (header, row)]
    (cdm / "DRUG_STRENGTH.csv").write_text("\n".join(lines) + "\n")
    events, rejected, staged = stage(cdm, tmp_path / "staged")
    doses = [(e["numeric_value"], e["unit"]) for e in events if e["code"].startswith("DRUG_PER")]
    expected = {
        "drug_concept_id": [],  # of which drug is not family_events
        "ingredient_concept_id": [],  # of which ingredient neither
        "amount_value": [],
        "amount_unit_concept_id": [(5.0, None), (10.0, None)],
    }
    assert sorted(doses) == expected.get(lacking, [(5.0, "mg/d"), (10.0, "mg/d")])
    assert len(family_events(events, "DRUG")) == 3
    assert [r["source"].split("#")[1] for r in rejected] == ["person"]
    assert staged.rows == 6


@pytest.mark.parametrize(
    ("replaced", "current", "expected"),
    [
        pytest.param("1310149,2.5,8576,,,,,D", "1310149,5,8576,,,,,", [5, 10], id="corrected"),
        pytest.param("98,5,8576,,,,,U", "1310149,5,8576,,,,,", [5, 10], id="new concept"),
        pytest.param("1310149,5,8576,,,,,D", "", [5, 10], id="drug of a former vocabulary"),
        pytest.param("", "1310149,5,8576,,,,,|98,1,8576,,,,,", [1, 2, 5, 10], id="combination"),
    ],
)
def test_a_strength_that_was_replaced_is_no_further_dose(
    cdm, tmp_path, replaced, current, expected
):
    keep_only(cdm, "CONCEPT", "PERSON", "DRUG_EXPOSURE")
    header = TABLES["DRUG_STRENGTH"].split("\n")[0] + ",invalid_reason\n"
    rows = [f"40163554,{row}\n" for row in f"{replaced}|{current}".split("|") if row]
    (cdm / "DRUG_STRENGTH.csv").write_text(header + "".join(rows))
    events, _, _ = stage(cdm, tmp_path / "staged")
    doses = [e["numeric_value"] for e in events if e["code"].startswith("DRUG_PER")]
    assert sorted(doses) == expected


@pytest.mark.parametrize("current", ["1310149,5,8576,,,,,,2099-12-31", ""])
def test_an_ingredient_without_a_valid_strength_is_listed_with_the_mend(cdm, tmp_path, current):
    keep_only(cdm, "PERSON", "DRUG_EXPOSURE")
    header = TABLES["DRUG_STRENGTH"].split("\n")[0] + ",invalid_reason,valid_end_date\n"
    parts = ["98,1,8576,,,,,D,2015-01-31", "98,2,8576,,,,,D,2019-06-30", current]
    rows = [f"40163554,{part}\n" for part in parts if part]
    (cdm / "DRUG_STRENGTH.csv").write_text(header + "".join(rows))
    events, rejected, _ = stage(cdm, tmp_path / "staged")
    doses = [e["numeric_value"] for e in events if e["code"].startswith("DRUG_PER")]
    listed = [r for r in rejected if r["source"].endswith("#drug_exposure")]
    assert sorted(doses) == ([5, 10] if current else [2, 4])
    assert [(r["field"], r["value"], r["reason"]) for r in listed] == (
        [
            (
                "ingredient_concept_id",
                "98",
                "has no valid strength in this drug, whose other ingredients have one, so that it "
                "gave no dose a day: if the drug holds it, clear invalid_reason of its row in "
                "drug_strength",
            )
        ]
        * 3
        if current
        else []
    )


def test_codes_and_units_of_the_folder_are_clean_and_described(cdm, tmp_path):
    done = ingest(make_sources("omop", [str(cdm)]), tmp_path / "out")
    events = events_of(tmp_path / "out").to_pylist()
    glucose = [e for e in events if e["code"] == "MEASUREMENT//LOINC//2345-7"]
    assert sorted((e["numeric_value"] or 0, e["unit"]) for e in glucose) == [
        (0, "mg/dL"),
        (90.0, "mg/dL"),
        (pytest.approx(90.078), "mg/dL"),
    ]
    assert done.repairs["unit_converted"] == 1
    codes = pq.read_table(tmp_path / "out" / "metadata" / "codes.parquet").to_pylist()
    described = {row["code"]: row["description"] for row in codes}
    assert described["DRUG//RXNORM//855332//given"] == "warfarin 5 MG Tablet"


def test_a_zip_and_parquet_parts_give_the_same_events(cdm, tmp_path):
    import pyarrow.csv

    plain, _, _ = stage(cdm, tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "cdm.zip", "w") as archive:
        for path in cdm.iterdir():
            archive.write(path, path.name)
    zipped, _, _ = stage(tmp_path / "cdm.zip", tmp_path / "b")
    parts = tmp_path / "parts"
    for path in cdm.iterdir():
        folder = parts / path.stem.lower()
        folder.mkdir(parents=True)
        text = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(path.read_text().split("\n")[0].split(","), "string")
        )
        table = pyarrow.csv.read_csv(path, convert_options=text)
        pq.write_table(table.slice(0, 1), folder / "0.parquet")
        pq.write_table(table.slice(1), folder / "1.parquet")
    split, _, _ = stage(parts, tmp_path / "c")
    for events in (plain, zipped, split):
        for event in events:
            event["source"] = event["source"].split("#")[1]
    assert sorted(map(repr, zipped)) == sorted(map(repr, plain))
    assert sorted(map(repr, split)) == sorted(map(repr, plain))


def test_without_a_vocabulary_codes_are_omop_ids(cdm, tmp_path):
    keep_only(cdm, "PERSON", "CONDITION_OCCURRENCE")
    events, _, _ = stage(cdm, tmp_path / "staged")
    assert family_events(events, "CONDITION")[0][2] == "CONDITION//OMOP//4329847"


TYPES = {
    "domain_id": "text",
    "vocabulary_id": "text",
    "class_id": "text",
    "_id": "bigint",
    "_date": "date",
    "_datetime": "timestamp",
    "quantity": "numeric",
    "days_supply": "int",
    "_of_birth": "int",
    "_number": "numeric",
    "amount_value": "numeric",
    "numerator_value": "numeric",
    "denominator_value": "numeric",
}


def test_a_database_gives_the_same_events_as_its_files(cdm, tmp_path, postgresql):
    import psycopg

    text = (cdm / "CONDITION_OCCURRENCE.csv").read_text().replace("not a date", "")
    (cdm / "CONDITION_OCCURRENCE.csv").write_text(text)
    with psycopg.connect(postgresql, autocommit=True) as con:
        con.execute("CREATE SCHEMA cdm")
        for path in cdm.iterdir():
            names = path.read_text().split("\n")[0].split(",")
            kinds = [
                next((k for end, k in TYPES.items() if n.endswith(end)), "text") for n in names
            ]
            columns = ", ".join(f"{n} {k}" for n, k in zip(names, kinds, strict=True))
            con.execute(f"CREATE TABLE cdm.{path.stem.lower()} ({columns})")
            with con.cursor().copy(
                f"COPY cdm.{path.stem.lower()} FROM STDIN (FORMAT csv, HEADER)"
            ) as sink:
                sink.write(path.read_text())
    files, rejected_files, _ = stage(cdm, tmp_path / "a")
    rows, rejected_rows, _ = stage(postgresql + "&schema=cdm", tmp_path / "b")
    for event in files + rows + rejected_files + rejected_rows:
        event["source"] = event["source"].split("#")[1]
        if event.get("row") == 43 and event.get("numeric_value") != event.get("numeric_value"):
            event["numeric_value"] = "nan"
    assert sorted(map(repr, rows)) == sorted(map(repr, files))
    assert sorted(map(repr, rejected_rows)) == sorted(map(repr, rejected_files))
    with pytest.raises(RecordError, match="there is no table person; name its schema in the URL"):
        stage(postgresql, tmp_path / "c")


def test_a_location_without_a_cdm_is_an_error(tmp_path):
    with pytest.raises(RecordError, match=r"is not an OMOP CDM: there is no PERSON.csv"):
        make_sources("omop", [str(tmp_path)])[0]
    with pytest.raises(RecordError, match=r"none: there is no such folder"):
        make_sources("omop", [str(tmp_path / "none")])[0]
    (tmp_path / "cdm.zip").write_bytes(b"PK no")
    with pytest.raises(RecordError, match=r"cdm.zip: cannot be unzipped"):
        stage(tmp_path / "cdm.zip", tmp_path / "a")


def test_observation_periods_are_events_of_their_first_and_last_second(cdm, tmp_path):
    keep_only(cdm, "PERSON")
    (cdm / "OBSERVATION_PERIOD.csv").write_text(
        "observation_period_id,person_id,observation_period_start_date,observation_period_end_date\n"
        "60,1,2019-12-01,2020-06-30\n61,2,2019-12-01,never\n"
    )
    events, rejected, _ = stage(cdm, tmp_path / "staged")
    found = [(code, time) for _, time, code, *_ in family_events(events, PERIOD)]
    assert found == [
        (f"{PERIOD}//END", at(2020, 6, 30, 23, 59, 59)),
        (f"{PERIOD}//START", at(2019, 12, 1)),
        (f"{PERIOD}//START", at(2019, 12, 1)),
    ]
    reason = [(r["field"], r["value"], r["reason"]) for r in rejected if r["row"] == 61]
    assert reason == [("observation_period_end_date", "never", "is not a date")]


def test_stays_within_a_visit_and_notes_are_events_without_the_notes_text(cdm, tmp_path):
    keep_only(cdm, "PERSON", "CONCEPT", "VISIT_OCCURRENCE")
    (cdm / "VISIT_DETAIL.csv").write_text(
        "visit_detail_id,person_id,visit_detail_concept_id,visit_detail_start_date,"
        "visit_detail_end_date\n70,1,9201,2020-01-01,2020-01-03\n71,1,9203,2020-01-01,\n"
    )
    (cdm / "NOTE.csv").write_text(
        "note_id,person_id,note_date,note_class_concept_id,note_text\n80,1,2020-01-02,0,Mr. Secret\n"
    )
    events, rejected, _ = stage(cdm, tmp_path / "staged")
    found = family_events(events, "VISIT_DETAIL") + family_events(events, "NOTE")
    assert sorted((code, time, text) for _, time, code, _, text, *_ in found) == [
        ("NOTE//unknown", at(2020, 1, 2), None),
        ("VISIT_DETAIL//EMER//start", at(2020, 1, 1), None),
        ("VISIT_DETAIL//IMP//end", at(2020, 1, 3), None),
        ("VISIT_DETAIL//IMP//start", at(2020, 1, 1), None),
    ]
    assert "Secret" not in str(events) + str(rejected)


def test_files_that_are_not_read_are_listed_and_vocabularies_are_not(cdm, tmp_path):
    for name in ("SPECIMEN.csv", "CONCEPT_ANCESTOR.csv", "readme.pdf"):
        (cdm / name).write_text("a\n1\n")
    keep_only(cdm, "PERSON", "DEATH")
    _, rejected, staged = stage(cdm, tmp_path / "staged")
    listed = [r for r in rejected if r["field"] == "fileName"]
    assert [(r["value"], r["reason"]) for r in listed] == [
        ("SPECIMEN.csv", "this file is no table of the CDM that is read"),
        ("readme.pdf", "this file is no table of the CDM that is read"),
    ]
    (cdm / "SPECIMEN.csv").unlink()
    assert stage(cdm, tmp_path / "again")[2].rows == staged.rows - 1


def test_a_value_that_is_a_concept_is_named_with_its_question(tmp_path) -> None:
    codes = ["OBSERVATION//LOINC//72166-2//SNOMED//266919005", "DRUG//RXNORM//6809//ordered"]
    pq.write_table(pa.table({"code": codes}), tmp_path / "events.parquet")
    names = {"LOINC//72166-2": "Smoking", "SNOMED//266919005": "Never", "RXNORM//6809": "Metformin"}
    columns = {"concept_code": list(names), "concept_name": list(names.values())}
    concepts = ibis.memtable(pa.table(columns))
    found = _meanings(
        ibis.duckdb.connect(), SimpleNamespace(concepts=concepts), [tmp_path / "events.parquet"]
    )
    assert found == dict(zip(codes, ["Smoking: Never", "Metformin"], strict=True))
