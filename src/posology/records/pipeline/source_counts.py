"""What each source told, by code family, before cleaning: events, missing numbers, units."""

from typing import Any

import pyarrow as pa

from posology.records.pipeline.units import normalised

Told = dict[tuple[str, str], dict[str, Any]]
"""By source and family: `events`, `without_number`, `units`."""


def by_source(seen: pa.Table) -> Told:
    """The profile of raw rows (`cleaning.profile`) summed up."""
    told: Told = {}
    for row in seen.to_pylist():
        family = normalised(row["code"] or "").partition("//")[0]
        one = told.setdefault(
            (row["source"] or "", family), {"events": 0, "without_number": 0, "units": []}
        )
        numbers = row["numbers"] - (row["broken"] or 0) + (row["readable"] or 0)
        one["events"] += row["rows"]
        one["without_number"] += row["rows"] - numbers
        one["units"] = sorted({*one["units"], *([row["unit"]] if row["unit"] else [])})
    return told


def added(before: list[dict[str, Any]], told: Told, again: Told) -> list[dict[str, Any]]:
    """The manifest's list with what was told now, but for `again`: rows that it counts already."""
    total = {(row["source"], row["family"]): row for row in before}
    for key, one in told.items():
        source, family = key
        old = total.get(key, {"events": 0, "without_number": 0, "units": []})
        twice = again.get(key, {"events": 0, "without_number": 0})
        total[key] = {
            "source": source,
            "family": family,
            "events": old["events"] + one["events"] - twice["events"],
            "without_number": old["without_number"]
            + one["without_number"]
            - twice["without_number"],
            "units": sorted({*old["units"], *one["units"]}),
        }
    return sorted(total.values(), key=lambda row: (row["source"], -row["events"], row["family"]))
