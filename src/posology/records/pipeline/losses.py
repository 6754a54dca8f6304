"""Rows and values that an ingest lost to studies, as a person reads them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

MAX_LOST_SHARE = 0.05
"""Share of a source's rows that may be lost before a person must accept it (own choice)."""
_AT_LEAST = re.compile(r"9[9.]* *\+")
"""Pattern of `90+`."""
_MEND_BOUND = "; write >=90 for 90+ to have the bound read as the number"
_INTENDED = frozenset(
    {
        "resourceType",
        "status",
        "intent",
        "verificationStatus",
        "doNotPerform",
        "asNeeded",
        "fileName",
    }
)
"""Fields of FHIR whose rejected rows are no events by their own statement, so not lost; and files
that are not FHIR by their names."""
_FEW_ROWS = 20
"""A JSON document or an image of fewer rows is judged with the other such files of its folder (own
choice): with one resource in each file, a single rejected one would be a loss of 100 %."""
_SINGLE = (".json", ".json.gz", ".dcm")
"""Ends of the names of such files; names of images may have no extension, too."""


def find_losses(
    source_counts: Iterable[Mapping[str, Any]], rejected: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Sources that lost more than MAX_LOST_SHARE of their rows, the worst first.

    A source is a file or a table. Its rows are its raw events, and its rows that gave no event. A
    rejected part of a row (`file#part`) counts as a lost row of its file. The JSON documents and
    images of a folder that have few rows are one source.

    Args:
        source_counts: raw events by source and family, as in the manifest.
        rejected: rejected rows by source, rule, reason and field.
    """
    raw: Counter[str] = Counter()
    for row in source_counts:
        raw[row["source"]] += row["events"]
    unreadable: Counter[str] = Counter()
    by_rule: Counter[str] = Counter()
    rejected = list(rejected)
    known = {*raw, *(row["source"] for row in rejected)}
    for row in rejected:
        if row["field"] and row["field"].rsplit(".", 1)[-1] in _INTENDED:
            continue
        source = row["source"] or ""
        whole = source.rpartition("#")[0]
        source = whole if whole in known and source not in raw else source
        (unreadable if row["rule"] == "unreadable" else by_rule)[source] += row["rows"]
    rows, lost = raw + unreadable, unreadable + by_rule
    names = _pooled(rows)
    pooled_rows: Counter[str] = Counter()
    pooled_lost: Counter[str] = Counter()
    for source, count in rows.items():
        pooled_rows[names.get(source, source)] += count
        pooled_lost[names.get(source, source)] += lost[source]
    losses = [
        {"source": source, "lost": pooled_lost[source], "rows": count}
        for source, count in pooled_rows.items()
        if pooled_lost[source] / count > MAX_LOST_SHARE
    ]
    return sorted(losses, key=lambda row: (-row["lost"] / row["rows"], row["source"]))


def _pooled(rows: Mapping[str, int]) -> dict[str, str]:
    """The name of the pool of each source that is judged with others of its folder."""
    pools: dict[str, list[str]] = {}
    for source, count in rows.items():
        folder, slash, name = source.rpartition("/")
        end = next((end for end in _SINGLE if name.endswith(end)), None)
        is_bare = slash and "." not in name and "#" not in name
        if count < _FEW_ROWS and (end or is_bare):
            pools.setdefault(f"{folder or '.'}/*{end or ''}", []).append(source)
    return {
        source: f"{pool} ({len(sources):,} small files)"
        for pool, sources in pools.items()
        if len(sources) > 1
        for source in sources
    }


def describe_loss(loss: Mapping[str, Any]) -> str:
    """One source and what it lost, such as `labs.csv lost 90.6 % of 469,256 rows`."""
    return f"{loss['source']} lost {loss['lost'] / loss['rows']:.1%} of {loss['rows']:,} rows"


def describe_strays(source: str, found: Mapping[str, Any]) -> str:
    """The sentence for a person: file, column, how many, and the first row."""
    count = f"{found['strays']:,} of {found['values']:,} cells"
    verb = "is no number" if found["strays"] == 1 else "are no numbers"
    place = (
        f"row {found['row']:,}" if found["strays"] == 1 else f"the first in row {found['row']:,}"
    )
    return (
        f"{source}, column {found['column']}: {count} {verb} ({place}, of the form "
        f"{found['pattern']}); kept as text, and not used where {found['code']} is read as a number"
        + (_MEND_BOUND if _AT_LEAST.fullmatch(found["pattern"]) else "")
    )
