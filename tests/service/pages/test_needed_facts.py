"""Facts that an answer needs are marked, with the reason: study, safety rules, or the model."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from posology import artifact
from posology.advice.uncertainty.distance import Distance, fit_distance
from posology.advice.uncertainty.evidence import EVIDENCE, NOT_MEASURED
from posology.domain.cohort import TRAIN, select_split
from posology.domain.safety_rules.rule import BLOCK_UNKNOWN, FORBID, Fact, SafetyRule, SafetySpec
from posology.domain.serialization import serialize
from posology.domain.study import Bounds, ValueRange
from posology.service.pages.needed_facts import (
    BLOCKS,
    FOR_STUDY,
    REQUIRED,
    USUAL,
    WARNS,
    needed_facts,
    why_needed,
)
from tests.builders.policies import iwpc_cohort

RULE = SafetyRule(
    name="kidney",
    kind="contraindication",
    effect=FORBID,
    options=("low",),
    meaning="Made up.",
    source="made up",
    any_of=(Fact(("LAB//creatinine",), "creatinine", above=2.0), Fact(("DRUG//x",), "x")),
)


def test_each_need_is_named_with_its_reason(small_model: Path) -> None:
    model = artifact.load(small_model)
    study = model.study
    span = ValueRange(("TARGET_INR",), Bounds(at_least=1.0))
    for spec, words in (("warn", WARNS), (BLOCK_UNKNOWN, BLOCKS)):
        asked = replace(
            study,
            profile=replace(study.profile, required_for_advice=("WEIGHT",)),
            decision=replace(study.decision, ranges=(span,)),
            safety_packs=SafetySpec(rules=(RULE,), on_unknown=spec),
        )
        needs = needed_facts(replace(model, study=asked))
        found = {code: why_needed(needs, (code,)) for code in CODES}
        assert found == CODES | {"LAB//creatinine": words}


CODES = {
    "WEIGHT": REQUIRED,
    "TARGET_INR": FOR_STUDY,
    "AGE_DECADE": FOR_STUDY,
    "LAB//creatinine": "",
    "DRUG//x": "",
    "HEIGHT": "",
}


def test_a_fact_that_nearly_all_training_patients_had_is_needed(small_model: Path) -> None:
    """Without the sex an answer may be refused: the form must say so before."""
    train = select_split(iwpc_cohort(), TRAIN)
    distance = fit_distance(train, np.random.default_rng(0))
    assert isinstance(distance, Distance)
    known = serialize(replace(NOT_MEASURED, distance=distance), {})
    model = artifact.load(small_model)
    assert why_needed(needed_facts(model), ("SEX", "SEX//male")) == ""
    measured = replace(model, evidence=model.evidence | {EVIDENCE: known})
    assert why_needed(needed_facts(measured), ("SEX", "SEX//male")) == USUAL
