"""The quality report of an events folder: content, rejected and repaired rows, gaps for a study.

`quality_report` returns it as data; `quality_page.py` renders it as HTML.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb

from posology.records.io.engine import escape_quotes
from posology.records.io.memory import reader_memory
from posology.records.io.patterns import value_pattern
from posology.records.meds_dataset import data_files, read_codes
from posology.records.pipeline.cleaning_rules import REPAIRS
from posology.records.pipeline.losses import (
    MAX_LOST_SHARE,
    describe_loss,
    describe_strays,
    find_losses,
)
from posology.records.pipeline.manifest import read_manifest
from posology.records.pipeline.padded_ids import find_padded_ids
from posology.records.pipeline.quality_page import quality_page
from posology.records.pipeline.rejected_rows import REJECTED_FILE

EXPECTED_FAMILIES = (
    "MEDS_BIRTH",
    "SEX",
    "DRUG",
    "CONDITION",
    "MEASUREMENT",
    "OBSERVATION",
    "VISIT",
)
"""Code families (docs/meds-profile.md) that most studies need."""
_SIZES = frozenset({"kg", "g", "m", "cm", "mm", "a", "kg/m2", "mm[Hg]"})
"""Units (UCUM) of what is above 0. The code book's codes have limits; these are of others."""


def write_report(folder: Path, manifest: dict[str, Any], name: str) -> None:
    """Write the folder's report as `quality.json` and `quality.html`; `name` is in its title."""
    report = quality_report(folder, manifest)
    (folder / "quality.json").write_text(json.dumps(report, indent=1), "utf-8")
    (folder / "quality.html").write_text(quality_page(report, read_codes(folder), name), "utf-8")


def quality_report(folder: Path, manifest: dict[str, Any] | None = None) -> dict[str, Any]:
    """The folder's totals, code families, codes, rejected rows, repairs and gaps.

    manifest: by default the folder's own.
    """
    manifest = manifest or read_manifest(folder)
    files = ", ".join(f"'{escape_quotes(path)}'" for path in data_files(folder))
    duck = duckdb.connect(config={"memory_limit": reader_memory()})
    duck.execute("SET enable_progress_bar = false")
    duck.execute(f"CREATE VIEW events AS SELECT * FROM read_parquet([{files}])")
    rejected = escape_quotes(folder / REJECTED_FILE)
    try:
        codes = [_whole_quantiles(row) for row in _rows(duck, CODES)]
        families = _families(duck, codes)
        totals = _rows(duck, TOTALS)[0]
        subjects = int(totals["subjects"])
        by_reason = [_without_value(row) for row in _rows(duck, REJECTED_ROWS.format(rejected))]
        losses = find_losses(manifest["source_counts"], by_reason)
        commas = [_describe_commas(row) for row in codes if _has_commas(row)]
        strays = [
            describe_strays(source["name"], found)
            for source in manifest["sources"]
            for found in source.get("strays", ())
        ]
        twice = find_padded_ids(duck)
        return {
            "totals": {
                **totals,
                "merged": manifest["merged"],
                "rejected": _rows(duck, f"SELECT count(*) AS n FROM '{rejected}'")[0]["n"],
            },
            "sources": manifest["sources"],
            "source_counts": manifest["source_counts"],
            "families": families,
            "codes": codes,
            "events_per_patient": _rows(duck, PER_PATIENT)[0],
            "rejected": by_reason,
            "losses": losses,
            "repairs": [
                {"rule": rule, "rows": rows, "what": REPAIRS[rule]}
                for rule, rows in sorted(
                    {**manifest["repairs"], "duplicate": manifest["merged"]}.items()
                )
                if rows
            ],
            "conflicts": _rows(duck, CONFLICTS),
            "commas": commas,
            "strays": strays,
            "twice": twice,
            "gaps": [
                *map(describe_loss, losses),
                *twice,
                *commas,
                *strays,
                *_gaps(families, codes, subjects),
            ],
        }
    finally:
        duck.close()


CODES = """
    SELECT code, count(*) AS events, count(DISTINCT subject_id) AS subjects,
        count(numeric_value) AS numbers, count(text_value) AS texts,
        count(*) FILTER (numeric_value IS NULL AND text_value LIKE '%,%'
            AND regexp_full_match(trim(text_value), '[<>]?=? ?[+-]?[0-9]+,[0-9]+')) AS commas,
        list(DISTINCT unit) FILTER (unit IS NOT NULL) AS units,
        min(numeric_value) AS low, max(numeric_value) AS high, avg(numeric_value) AS mean,
        stddev_samp(numeric_value::DOUBLE) AS sd,
        approx_quantile(numeric_value, [0.01, 0.25, 0.5, 0.75, 0.99]) AS quantiles,
        bool_and(numeric_value = round(numeric_value)) AS whole,
        min(time)::VARCHAR AS first, max(time)::VARCHAR AS last, count(*) - count(time) AS timeless
    FROM events GROUP BY code ORDER BY events DESC, code
"""
TOTALS = """
    SELECT count(*) AS events, count(DISTINCT subject_id) AS subjects,
        count(DISTINCT code) AS codes, min(time)::VARCHAR AS first, max(time)::VARCHAR AS last
    FROM events
"""
PER_PATIENT = """
    SELECT min(n) AS low, quantile_disc(n, 0.25) AS q25, quantile_disc(n, 0.5) AS median,
        quantile_disc(n, 0.75) AS q75, max(n) AS high, avg(n) AS mean
    FROM (SELECT count(*) AS n FROM events GROUP BY subject_id)
"""
REJECTED_ROWS = """
    SELECT source, rule, reason, field, count(*) AS rows, min(row) AS first_row,
        arg_min(value, row) AS value
    FROM '{}' GROUP BY source, rule, reason, field ORDER BY rows DESC, source, rule, reason
"""
CONFLICTS = """
    SELECT code, count(*) AS moments FROM (
        SELECT code FROM events WHERE numeric_value IS NOT NULL AND time IS NOT NULL
        GROUP BY subject_id, time, code, unit HAVING count(DISTINCT numeric_value) > 1
    ) GROUP BY code ORDER BY moments DESC, code LIMIT 50
"""
"""Codes with different values for one patient, unit and time: all values are kept."""
FAMILY = """
    SELECT split_part(code, '//', 1) AS family, count(*) AS events,
        count(DISTINCT subject_id) AS subjects, count(DISTINCT code) AS codes,
        count(numeric_value) AS numbers, count(unit) AS with_unit,
        count(*) FILTER (numeric_value IS NULL AND text_value IS NULL) AS without_value,
        min(time)::VARCHAR AS first, max(time)::VARCHAR AS last
    FROM events GROUP BY family ORDER BY events DESC, family
"""


def _whole_quantiles(row: dict[str, Any]) -> dict[str, Any]:
    """A code with integers only has integers as quantiles; those of DuckDB are interpolated."""
    if row.pop("whole") and row["quantiles"]:
        row["quantiles"] = [float(round(value)) for value in row["quantiles"]]
    return row


def _without_value(row: dict[str, Any]) -> dict[str, Any]:
    """A kind of rejected rows with the pattern and length of its first value, not the value."""
    value = row.pop("value") or ""
    return {**row, "pattern": value_pattern(value), "length": len(value)}


def _families(duck: duckdb.DuckDBPyConnection, codes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    units: dict[str, set[str]] = defaultdict(set)
    for entry in codes:
        units[entry["code"].partition("//")[0]] |= set(entry["units"] or ())
    return [{**row, "units": sorted(units[row["family"]])} for row in _rows(duck, FAMILY)]


def _gaps(families: list[dict[str, Any]], codes: list[dict[str, Any]], subjects: int) -> list[str]:
    """Sentences on data that a study would miss."""
    present = {row["family"]: row for row in families}
    gaps = []
    for family in EXPECTED_FAMILIES:
        if family not in present:
            gaps.append(f"no event of the family {family}")
        elif family in ("MEDS_BIRTH", "SEX") and present[family]["subjects"] < subjects:
            without = subjects - present[family]["subjects"]
            gaps.append(f"{without} of {subjects} patients have no {family}")
    for row in codes:
        if len(row["units"] or ()) > 1:
            gaps.append(
                f"{row['code']} has {len(row['units'])} units ({', '.join(sorted(row['units']))}): "
                "state its unit in a code book"
            )
    gaps += [_describe_negative(row) for row in codes if _has_negative_size(row)]
    doses = [row for row in families if row["family"] == "DRUG"]
    if doses and not doses[0]["numbers"]:
        gaps.append("no drug has a dose")
    return gaps


def _has_negative_size(row: dict[str, Any]) -> bool:
    return bool(_SIZES & set(row["units"] or ())) and row["low"] is not None and row["low"] < 0


def _describe_negative(row: dict[str, Any]) -> str:
    """A code of sizes with numbers below 0, and what to do."""
    units = ", ".join(row["units"])
    return (
        f"{row['code']} has numbers below 0 (down to {row['low']:g}, in {units}), which only a "
        "change can have: mend them, or state limits in a code book"
    )


def _has_commas(row: dict[str, Any]) -> bool:
    """Whether so many values of a code are texts like 61,5 that a setting is probably missing."""
    return row["commas"] > MAX_LOST_SHARE * row["events"]


def _describe_commas(row: dict[str, Any]) -> str:
    """A code whose numbers have decimal commas, and what to do."""
    return (
        f"{row['code']}: {row['commas']:,} of {row['events']:,} values are texts like 61,5: if the "
        'comma is a decimal mark, set decimal = "," in the mapping'
    )


def _rows(duck: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    table = duck.sql(query)
    return [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]
