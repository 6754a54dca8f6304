"""Sources that lost so many of their rows that an ingest is not simply a success."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

MAX_LOST_SHARE = 0.05
"""Share of a source's rows that may be lost before a person must accept it (own choice)."""
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


def find_losses(
    source_counts: Iterable[Mapping[str, Any]], rejected: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Sources that lost more than MAX_LOST_SHARE of their rows, the worst first.

    A source is a file or a table. Its rows are its raw events, and its rows that gave no event. A
    rejected part of a row (`file#part`) counts as a lost row of its file.

    Args:
        source_counts: raw events by source and family, as in the manifest.
        rejected: rejected rows by source, rule, reason and field.
    """
    raw: Counter[str] = Counter()
    for row in source_counts:
        raw[row["source"]] += row["events"]
    unreadable: Counter[str] = Counter()
    by_rule: Counter[str] = Counter()
    for row in rejected:
        if row["field"] and row["field"].rsplit(".", 1)[-1] in _INTENDED:
            continue
        source = row["source"] or ""
        whole = source.rpartition("#")[0]
        source = whole if whole in raw and source not in raw else source
        (unreadable if row["rule"] == "unreadable" else by_rule)[source] += row["rows"]
    losses = []
    for source in {*unreadable, *by_rule}:
        rows = raw[source] + unreadable[source]
        lost = unreadable[source] + by_rule[source]
        if rows and lost / rows > MAX_LOST_SHARE:
            losses.append({"source": source, "lost": lost, "rows": rows})
    return sorted(losses, key=lambda row: (-row["lost"] / row["rows"], row["source"]))


def describe_loss(loss: Mapping[str, Any]) -> str:
    """One source and what it lost, such as `labs.csv lost 90.6 % of 469,256 rows`."""
    return f"{loss['source']} lost {loss['lost'] / loss['rows']:.1%} of {loss['rows']:,} rows"
