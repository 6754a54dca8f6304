"""Small knowledge packs for the study of two drugs."""

import copy
import json
from pathlib import Path
from typing import Any

from posology.cohorts.study.packs.read import checksum
from posology.cohorts.study.reader import parse_study
from posology.domain.study import Study
from tests.builders.two_drug_records import TEXT

RULE = {
    "name": "b-kidney",
    "kind": "contraindication",
    "effect": "forbid",
    "drugs": ["drug B"],
    "any_of": [{"fact": "kidney function", "below": 30}],
    "meaning": "Drug B needs kidneys.",
    "strength": "contraindicated",
    "source": "made up",
}
PACK: dict[str, Any] = {
    "format": 1,
    "name": "made-up",
    "title": "Made up",
    "version": "1",
    "date": "2026-01-01",
    "expires": "2126-01-01",
    "licence": "CC0-1.0",
    "source": "made up",
    "reviewed_by": "nobody real",
    "drugs": {"drug A": ["A"], "drug B": ["B"], "another A": ["A", "A2"]},
    "facts": {
        "kidney function": {"codes": ["EGFR"], "unit": "mL/min", "within_days": 365},
        "allergy to A": {"codes": ["ALLERGY//A"], "known_by": ["ALLERGY"]},
        "heart failure": {"codes": ["HF"]},
        "weight": {"codes": ["WEIGHT"], "unit": "kg"},
        "age": {"age": True},
    },
    "rules": [RULE],
}
DOSES = (
    (
        'codes = ["DRUG//A"]',
        'codes = ["DRUG//A"]\ndose = { at_least = 1.0, at_most = 10.0, unit = "mg/d" }',
    ),
    (
        'codes = ["DRUG//B"]',
        'codes = ["DRUG//B"]\ndose = { at_least = 1.0, at_most = 10.0, unit = "mg/d" }',
    ),
)
"""Changes that give both drugs a range of doses."""


def rule(**changes: Any) -> dict[str, Any]:
    """RULE, with some keys exchanged; None removes a key."""
    return {k: v for k, v in (RULE | changes).items() if v is not None}


def pack(*rules: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """PACK with other rules and keys; None removes a key."""
    body = copy.deepcopy(PACK) | ({"rules": list(rules)} if rules else {}) | changes
    return {key: value for key, value in body.items() if value is not None}


def write(body: dict[str, Any], folder: Path, name: str = "pack.json") -> Path:
    """The pack in a file, sealed."""
    path = folder / name
    path.write_text(json.dumps(body | {"sha256": checksum(body)}), encoding="utf-8")
    return path


def study_with(
    folder: Path,
    *bodies: dict[str, Any],
    table: str = "",
    changes: tuple[tuple[str, str], ...] = (),
) -> Study:
    """The study of two drugs with these packs. table: further lines of `[safety_packs]`."""
    names = [write(body, folder, f"pack{row}.json").name for row, body in enumerate(bodies)]
    text = TEXT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    table = f"[safety_packs]\npacks = {json.dumps(names)}\n{table}\n"
    return parse_study(text.replace("[profile]", f"{table}[profile]", 1), str(folder / "two.toml"))
