"""Concept sets of a cohort definition as codes of events."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from posology.errors import UserError
from posology.records.batching import code_part

_TABLES = ("concept", "concept_ancestor")
Refuse = Callable[[str, str], None]
"""Notes a JSON path, and why what stands there cannot be expressed."""
_ENDINGS = (".csv", ".csv.gz", ".tsv", ".parquet")


@dataclass(frozen=True, slots=True)
class ConceptSet:
    """Codes without their family, such as `SNOMED//22298006`."""

    name: str
    codes: tuple[str, ...]


def read_concept_sets(
    sets: Iterable[tuple[str, Mapping[str, Any]]], cdm: Path | None, refuse: Refuse
) -> dict[int, ConceptSet]:
    """The concept sets by number. `sets` has each with its JSON path.

    Descendants come from the CDM's own vocabulary (concept, concept_ancestor); without it they are
    refused by `refuse(path, reason)`, which collects what a study cannot express.
    """
    sets = list(sets)
    below = _descendants(sets, _Vocabulary(cdm), refuse)
    found = {}
    for place, entry in sets:
        codes: dict[str, None] = {}
        without: set[str] = set()
        for path, item in _items(place, entry):
            if item.get("includeMapped"):
                refuse(f"{path}.includeMapped", "source codes mapped to a concept are not read")
                continue
            own = _codes_of(item, path, below, refuse)
            if item.get("isExcluded"):
                without.update(own)
            else:
                codes.update(dict.fromkeys(own))
        kept = tuple(code for code in codes if code not in without)
        name = str(entry.get("name") or f"concept set {entry.get('id')}")
        found[int(entry.get("id", -1))] = ConceptSet(name, kept)
    return found


def _items(place: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, item in enumerate(entry.get("expression", {}).get("items", [])):
        yield f"{place}.expression.items[{number}]", item


def _descendants(
    sets: Iterable[tuple[str, Mapping[str, Any]]], vocabulary: "_Vocabulary", refuse: Refuse
) -> dict[int, list[str]]:
    """The codes below each concept that wants its descendants; refused once for all of them."""
    wanted = {
        f"{path}.includeDescendants": item.get("concept", {})
        for place, entry in sets
        for path, item in _items(place, entry)
        if item.get("includeDescendants")
    }
    if not wanted:
        return {}
    if vocabulary.missing:
        more = f" (and of {len(wanted) - 1} more concepts)" if len(wanted) > 1 else ""
        refuse(
            next(iter(wanted)),
            f"descendants{more} need the vocabulary's {vocabulary.missing}: put it beside the "
            "tables of --path (a folder, not a zip), or list the concepts in ATLAS (Included "
            "Concepts) and leave descendants out",
        )
        return {}
    below = vocabulary.descendants(sorted({_number(concept) for concept in wanted.values()}))
    # each standard concept and each class is a descendant of itself; others have none
    absent = [
        path
        for path, concept in wanted.items()
        if concept.get("STANDARD_CONCEPT") in ("S", "C") and _number(concept) not in below
    ]
    if absent:
        concept = wanted[absent[0]]
        refuse(
            absent[0],
            f"{len(absent)} of {len(wanted)} concepts, such as {_number(concept)} "
            f"({concept.get('CONCEPT_NAME')}), are not in the vocabulary's concept_ancestor: it is "
            "not complete, or of another version than that of ATLAS",
        )
    return below


def _number(concept: Mapping[str, Any]) -> int:
    return int(concept.get("CONCEPT_ID") or 0)


def _codes_of(
    item: Mapping[str, Any], path: str, below: Mapping[int, list[str]], refuse: Refuse
) -> list[str]:
    concept = item.get("concept", {})
    family, code = concept.get("VOCABULARY_ID"), concept.get("CONCEPT_CODE")
    if not family or not code:
        refuse(f"{path}.concept", "has no VOCABULARY_ID and CONCEPT_CODE")
        return []
    own = _code(str(family), str(code))
    if not item.get("includeDescendants"):
        return [own]
    lower = below.get(_number(concept), [])
    return list(dict.fromkeys([own, *lower]))


def _code(family: str, code: str) -> str:
    """As `posology ingest --omop` writes it."""
    return f"{re.sub('[^A-Z0-9]+', '_', family.upper())}//{code_part(code)}"


class _Vocabulary:
    """The vocabulary tables beside a CDM's."""

    def __init__(self, cdm: Path | None) -> None:
        files = {name: _find(cdm, name) for name in _TABLES}
        self.missing = " and ".join(name for name, path in files.items() if path is None)
        self._files = files

    def descendants(self, concepts: list[int]) -> dict[int, list[str]]:
        """Codes of the concepts below each of these, in order; the tables are read once."""
        ancestor, names = (_scan(self._files[name]) for name in ("concept_ancestor", "concept"))
        query = (
            "SELECT DISTINCT TRY_CAST(a.ancestor_concept_id AS BIGINT) AS above, n.vocabulary_id, "
            f"n.concept_code FROM {ancestor} a JOIN {names} n "
            "ON TRY_CAST(n.concept_id AS BIGINT) = TRY_CAST(a.descendant_concept_id AS BIGINT) "
            "WHERE above IN (SELECT unnest(?::BIGINT[])) ORDER BY ALL"
        )
        try:
            rows = duckdb.connect().execute(query, [concepts]).fetchall()
        except duckdb.Error as error:
            raise UserError(
                f"{self._files['concept_ancestor']}: is no vocabulary table of OMOP ({error})."
            ) from error
        found: dict[int, list[str]] = {}
        for above, family, code in rows:
            found.setdefault(above, []).append(_code(str(family), str(code)))
        return found


def _find(cdm: Path | None, name: str) -> Path | None:
    if cdm is None or not cdm.is_dir():
        return None
    for path in sorted(cdm.rglob("*")):
        if path.name.split(".")[0].lower() == name and path.name.lower().endswith(_ENDINGS):
            return path
    return None


def _scan(path: Path | None) -> str:
    assert path is not None
    place = str(path).replace("'", "''")
    if place.lower().endswith(".parquet"):
        return f"read_parquet('{place}')"
    return f"read_csv('{place}', all_varchar = true, normalize_names = true)"
