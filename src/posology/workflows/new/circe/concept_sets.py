"""Concept sets of a cohort definition as codes of events."""

import re
from collections.abc import Callable, Iterable, Mapping
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
    vocabulary = _Vocabulary(cdm)
    found = {}
    for place, entry in sets:
        codes: dict[str, None] = {}
        without: set[str] = set()
        for number, item in enumerate(entry.get("expression", {}).get("items", [])):
            path = f"{place}.expression.items[{number}]"
            if item.get("includeMapped"):
                refuse(f"{path}.includeMapped", "source codes mapped to a concept are not read")
                continue
            own = _codes_of(item, path, vocabulary, refuse)
            if item.get("isExcluded"):
                without.update(own)
            else:
                codes.update(dict.fromkeys(own))
        kept = tuple(code for code in codes if code not in without)
        name = str(entry.get("name") or f"concept set {entry.get('id')}")
        found[int(entry.get("id", -1))] = ConceptSet(name, kept)
    return found


def _codes_of(
    item: Mapping[str, Any], path: str, vocabulary: "_Vocabulary", refuse: Refuse
) -> list[str]:
    concept = item.get("concept", {})
    family, code = concept.get("VOCABULARY_ID"), concept.get("CONCEPT_CODE")
    if not family or not code:
        refuse(f"{path}.concept", "has no VOCABULARY_ID and CONCEPT_CODE")
        return []
    own = [_code(str(family), str(code))]
    if not item.get("includeDescendants"):
        return own
    if vocabulary.missing:
        reason = (
            f"descendants need the vocabulary's {vocabulary.missing}: put it beside the tables of "
            "--path, or list the concepts in ATLAS (Included Concepts) and leave descendants out"
        )
        refuse(f"{path}.includeDescendants", reason)
        return own
    below = vocabulary.descendants(int(concept.get("CONCEPT_ID", 0)))
    return [*own, *(code for code in below if code not in own)]


def _code(family: str, code: str) -> str:
    """As `posology ingest --omop` writes it."""
    return f"{re.sub('[^A-Z0-9]+', '_', family.upper())}//{code_part(code)}"


class _Vocabulary:
    """The vocabulary tables beside a CDM's."""

    def __init__(self, cdm: Path | None) -> None:
        files = {name: _find(cdm, name) for name in _TABLES}
        self.missing = " and ".join(name for name, path in files.items() if path is None)
        self._files = files

    def descendants(self, concept: int) -> list[str]:
        """Codes of the concepts below one, in order."""
        ancestor, names = (_scan(self._files[name]) for name in ("concept_ancestor", "concept"))
        query = (
            f"SELECT DISTINCT n.vocabulary_id, n.concept_code FROM {ancestor} a JOIN {names} n "
            "ON TRY_CAST(n.concept_id AS BIGINT) = TRY_CAST(a.descendant_concept_id AS BIGINT) "
            "WHERE TRY_CAST(a.ancestor_concept_id AS BIGINT) = ? ORDER BY ALL"
        )
        try:
            rows = duckdb.connect().execute(query, [concept]).fetchall()
        except duckdb.Error as error:
            raise UserError(
                f"{self._files['concept_ancestor']}: is no vocabulary table of OMOP ({error})."
            ) from error
        return [_code(str(family), str(code)) for family, code in rows]


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
