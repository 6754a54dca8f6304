"""Random safety rules for a study, on codes that its patients have or lack."""

from dataclasses import replace

import numpy as np

from posology.domain.safety_rules.rule import (
    FORBID,
    LIMIT,
    DoseLimit,
    Fact,
    SafetyRule,
    SafetySpec,
)
from posology.domain.study import Study


def with_random_rules(
    study: Study, codes: tuple[str, ...], rng: np.random.Generator, on_unknown: str, count: int = 4
) -> Study:
    """The study with rules that forbid options or limit their doses."""
    rules = tuple(_rule(row, study, codes, rng) for row in range(count))
    return replace(study, safety=(), safety_packs=SafetySpec((), rules, on_unknown))


def _rule(row: int, study: Study, codes: tuple[str, ...], rng: np.random.Generator) -> SafetyRule:
    names = np.array(study.formulary.names)
    options = tuple(names[rng.random(len(names)) < 0.5].tolist()) or (str(rng.choice(names)),)
    limits = rng.random() < 0.4
    most = float(rng.uniform(5, 90))
    return SafetyRule(
        name=f"rule {row}",
        kind="dose_limit" if limits else "contraindication",
        effect=LIMIT if limits else FORBID,
        options=options,
        meaning="Made up.",
        source="made up",
        any_of=tuple(_fact(codes, rng) for _ in range(rng.integers(1, 3))),
        unless=tuple(_fact(codes, rng) for _ in range(rng.integers(0, 2))),
        dose=DoseLimit(at_most=most, unit="mg/wk") if limits else None,
    )


def _fact(codes: tuple[str, ...], rng: np.random.Generator) -> Fact:
    code = str(rng.choice(codes)) if rng.random() < 0.9 else "NEVER//SEEN"
    if rng.random() < 0.5:
        return Fact((code,), at_least=float(rng.uniform(0, 100)))
    return Fact((code,), known_by=("NEVER//SEEN",) if rng.random() < 0.2 else ())
