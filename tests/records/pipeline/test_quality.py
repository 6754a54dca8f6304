import json

from posology.records.pipeline.ingest import ingest
from posology.records.pipeline.quality import quality_report
from tests.builders.raw_events import YEAR0, raw_source, raw_table

ROWS = [
    (1, YEAR0, "MEDS_BIRTH", None, None, None),
    (1, YEAR0.replace(year=2000), "LAB//<k>", 4.0, None, "mmol/L"),
    (1, YEAR0.replace(year=2000), "LAB//<k>", 5.0, None, "mmol/L"),
    (1, YEAR0.replace(year=2000), "LAB//<k>", 5.0, None, "mmol/L"),
    (2, YEAR0.replace(year=2001), "LAB//<k>", None, "<3", "mg/dL"),
    (2, YEAR0.replace(year=2001), "DRUG//x//given", None, None, None),
    (2, YEAR0.replace(year=2001), "DRUG//x//given", -5.0, None, "mg"),
]


def test_sizes_below_zero_under_an_own_code_are_named_with_the_mend(tmp_path):
    weight, change = "MEASUREMENT//LOCAL//weight", "MEASUREMENT//LOCAL//base_excess"
    rows = [
        (1, YEAR0.replace(year=2000 + n), weight, x, None, "kg") for n, x in enumerate((80, -80))
    ]
    rows.append((1, YEAR0.replace(year=2000), change, -3.0, None, "mmol/L"))
    ingest([raw_source(tmp_path / "a.parquet", raw_table(rows))], tmp_path / "out")
    assert [gap for gap in quality_report(tmp_path / "out")["gaps"] if "below 0" in gap] == [
        f"{weight} has numbers below 0 (down to -80, in kg), which only a change can have: mend "
        "them, or state limits in a code book"
    ]


def test_the_report_has_counts_units_rejections_and_gaps(tmp_path):
    ingest([raw_source(tmp_path / "a.parquet", raw_table(ROWS))], tmp_path / "out")
    report = quality_report(tmp_path / "out")
    assert report["totals"]["events"] == 5
    assert report["totals"]["merged"] == 1
    assert report["totals"]["rejected"] == 1
    lab = next(row for row in report["codes"] if row["code"] == "LAB//<k>")
    assert (lab["events"], lab["subjects"], lab["numbers"]) == (3, 2, 3)
    assert sorted(lab["units"]) == ["mg/dL", "mmol/L"]
    assert (lab["low"], lab["high"]) == (3.0, 5.0)
    assert report["conflicts"] == [{"code": "LAB//<k>", "moments": 1}]
    assert report["rejected"][0] == {
        "source": "a.csv",
        "rule": "out_of_range",
        "reason": "the value is outside the code's plausible limits",
        "field": "numeric_value",
        "rows": 1,
        "first_row": 7,
        "pattern": "-9",
        "length": 2,
    }
    assert {row["rule"]: row["rows"] for row in report["repairs"]} == {
        "duplicate": 1,
        "text_number": 1,
    }
    assert report["gaps"] == [
        "a.csv lost 14.3% of 7 rows",
        "1 of 2 patients have no MEDS_BIRTH",
        "no event of the family SEX",
        "no event of the family CONDITION",
        "no event of the family MEASUREMENT",
        "no event of the family OBSERVATION",
        "no event of the family VISIT",
        "LAB//<k> has 2 units (mg/dL, mmol/L): state its unit in a code book",
        "no drug has a dose",
    ]
    assert report["events_per_patient"]["high"] == 3
    assert report["source_counts"] == [
        {
            "source": "a.csv",
            "family": "LAB",
            "events": 4,
            "without_number": 0,
            "units": ["mg/dL", "mmol/L"],
        },
        {"source": "a.csv", "family": "DRUG", "events": 2, "without_number": 1, "units": ["mg"]},
        {"source": "a.csv", "family": "MEDS_BIRTH", "events": 1, "without_number": 1, "units": []},
    ]
    json.dumps(report)


def test_the_page_is_one_file_and_escapes_texts(tmp_path):
    ingest([raw_source(tmp_path / "a.parquet", raw_table(ROWS))], tmp_path / "out")
    page = (tmp_path / "out" / "quality.html").read_text("utf-8")
    assert "LAB//&lt;k&gt;" in page
    assert "<k>" not in page
    assert "http" not in page
    assert "<script" not in page
    assert "1 of 2 patients have no MEDS_BIRTH" in page


def test_the_page_shows_the_ends_where_slips_live(tmp_path):
    """One of 300 weights lies beyond the 99 % quantile."""
    rows = [(n, YEAR0, "LAB//weight", 70.0 + n % 9, None, "kg") for n in range(1, 301)]
    rows[0] = (1, YEAR0, "LAB//weight", 123456.0, None, "kg")
    ingest([raw_source(tmp_path / "a.parquet", raw_table(rows))], tmp_path / "out")
    page = (tmp_path / "out" / "quality.html").read_text("utf-8")
    assert "<td>70 to 123456</td><td>70 / " in page
    assert "e+05" not in page


def test_reopened_rows_are_counted_once_for_their_source(tmp_path):
    first = [
        (1, YEAR0.replace(year=1980), "MEDS_DEATH", None, None, None),
        (1, YEAR0.replace(year=2000), "LAB//k", 4.0, None, None),
    ]
    later = [(1, YEAR0.replace(year=2001), "MEDS_DEATH", None, None, None)]
    out = tmp_path / "out"
    assert ingest([raw_source(tmp_path / "a.parquet", raw_table(first))], out).rejected == {
        "after_death": 1
    }
    assert ingest([raw_source(tmp_path / "b.parquet", raw_table(later))], out).held == 2
    counts = {
        (row["source"], row["family"]): row["events"]
        for row in quality_report(out)["source_counts"]
    }
    assert counts == {("a.csv", "LAB"): 1, ("a.csv", "MEDS_DEATH"): 2}
