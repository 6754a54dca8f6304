"""Random patient files: each is an error that names what to mend, or a dose that training saw.

python -m benchmarks.patient_files --trials 10000 --json out/patient_files.json
"""

import argparse
import json
import math
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import posology
from posology.advice.form.field import Field, Form
from posology.artifact import Artifact
from posology.domain.recommendation.findings import FORBIDS, USED_IN_DOSE
from posology.domain.recommendation.recommendation import (
    ABSTAINED,
    ALL_FORBIDDEN,
    UNSURE,
    Recommendation,
)
from posology.domain.safety_rules.rule import FORBID, DoseLimit, Fact, SafetyRule, SafetySpec
from posology.domain.safety_rules.rule import LIMIT as LIMIT_DOSE
from posology.errors import UserError
from posology.workflows.patient import form_of, seen_doses
from posology.workflows.recommend import RecommendResult, recommend

LIMIT = 30.0
"""Largest dose of the made-up rule for frail patients, mg a week."""
_SOURCE = "made up for benchmarks.patient_files"
_OPTIONS = ("low", "medium", "high")
SAFETY = SafetySpec(
    rules=(
        SafetyRule(
            name="allergy",
            kind="allergy",
            effect=FORBID,
            options=_OPTIONS,
            meaning="Made up.",
            source=_SOURCE,
            any_of=(Fact(("ALLERGY//warfarin",), "warfarin allergy", known_by=("ALLERGY//none",)),),
        ),
        SafetyRule(
            name="frail",
            kind="dose_limit",
            effect=LIMIT_DOSE,
            options=_OPTIONS,
            meaning="Made up.",
            source=_SOURCE,
            any_of=(
                Fact(("CONDITION//frail",), "frailty"),
                Fact(("LAB//ALT",), "ALT", above=120.0, unit="U/L", within_days=365.0),
            ),
            dose=DoseLimit(at_most=LIMIT, unit="mg/wk"),
        ),
    )
)
"""Rules on facts that the model does not know: the form must have them, and they must hold."""

_UNITS = ("", "kg", "lb", "cm", "in", "kPa", "mmol/L", "stone", "years", "%")
_WORDS = ("yes", "no", "male", "A/G", "*1/*3", "maybe", "", "70-79", "90+", "2024-03-01", "NaN")


def random_form(form: Form, rng: np.random.Generator) -> dict[str, Any]:
    """A few fields with values of every kind: 1e-9 to 1e9, both signs, any unit, unknown keys."""
    fields = [field for field in form.fields if field.is_listed]
    facts: dict[str, Any] = {}
    for _ in range(rng.integers(1, 6)):
        field = fields[rng.integers(len(fields))]
        key = (field.name, field.stem, field.name.upper(), field.name[:-1] or "x")
        facts[key[rng.choice(4, p=(0.6, 0.2, 0.15, 0.05))]] = _random_value(field, rng)
    return {"facts": facts}


def _random_value(field: Field, rng: np.random.Generator) -> Any:
    number = float(rng.choice([-1, 1], p=(0.2, 0.8)) * 10 ** rng.uniform(-9, 9))
    if field.seen.low is not None and field.seen.high is not None and rng.random() < 0.6:
        number = float(rng.uniform(0.4 * field.seen.low, 1.6 * field.seen.high))
    word = field.choices[rng.integers(len(field.choices))][0] if field.choices else "70"
    forms = (
        number,
        f"{number:.3g} {_UNITS[rng.integers(len(_UNITS))]}",
        {"value": number, "unit": _UNITS[rng.integers(1, len(_UNITS))]},
        word,
        _WORDS[rng.integers(len(_WORDS))],
        bool(rng.random() < 0.5),
        [word, number],
        {"value": word, "since": "2024-03"},
        round(abs(number)),
    )
    is_plain = rng.random() < 0.6
    if is_plain:
        return number if field.kind in ("number", "age") else word
    return forms[rng.integers(len(forms))]


def try_form(model: Artifact, body: dict[str, Any]) -> tuple[str, str]:
    """What came of a form: `refused`, `answered` or `wrong`, and why."""
    try:
        result = recommend(model, body)
    except UserError as error:
        named = "patient: " in str(error) or "study " in str(error)
        return ("refused", "") if named else ("wrong", f"error without a place: {error}")
    problem = _problem(model, result)
    return ("wrong", problem) if problem else ("answered", "")


def _problem(model: Artifact, result: RecommendResult) -> str:
    """Why a recommendation must not be; "" if nothing is wrong with it."""
    advice, seen = result.recommendation, seen_doses(model)
    doses = [("", advice.dose.dose)] if advice.dose is not None else []
    doses += [(o.name, o.dose.dose) for o in advice.options if o.dose is not None]
    for name, dose in doses:
        low, high = seen.get(name, (0.0, math.inf))
        if not math.isfinite(dose):
            return f"dose {name} is {dose}"
        if not low <= dose <= high:
            return f"dose {name} of {dose:g} is outside {low:g} to {high:g}"
    if not all(0 <= option.choice_share <= 1 for option in advice.options):
        return "a probability is no probability"
    is_answered = advice.state not in ABSTAINED
    if advice.dose is None and is_answered and not any("dose" in t for t in advice.callouts):
        return "no dose, and no warning says why"
    if result.to_json()["dose"] and not is_answered and advice.state != UNSURE:
        return "a dose is sent without an answer"
    return _unsafe(advice)


def _unsafe(advice: Recommendation) -> str:
    """How an answer breaks a safety rule that it names; "" if it does not."""
    for option in advice.options:
        against = any(f.kind == FORBIDS and option.title in f.options for f in advice.safety)
        if against != (option.standing == "forbidden"):
            return f"option {option.name} is {option.standing}"
        if against and (option.choice_share > 0 or option.dose is not None):
            return f"option {option.name} is forbidden and advised"
    is_limited = any(f.kind == USED_IN_DOSE and f.source == _SOURCE for f in advice.safety)
    if is_limited and advice.dose is not None and advice.dose.dose > LIMIT:
        return f"dose of {advice.dose.dose:g} is above the limit of a safety rule"
    if advice.state == ALL_FORBIDDEN and advice.dose is not None:
        return "a dose though every option is forbidden"
    return ""


def run(trials: int, seed: int) -> dict[str, Any]:
    """Counts of what came of random forms, and the first wrong ones."""
    from posology.datasets import iwpc

    study = posology.read_study("iwpc")
    fitted = posology.fit(posology.read_cohort(study, iwpc.load().events), "logistic")
    model = Artifact(fitted.policy, replace(study, safety_packs=SAFETY), fitted.evidence, "")
    form, rng = form_of(model), np.random.default_rng(seed)
    counts: Counter[str] = Counter()
    wrong: list[dict[str, Any]] = []
    start = time.process_time()
    for _ in range(trials):
        body = random_form(form, rng)
        verdict, why = try_form(model, body)
        counts[verdict] += 1
        if verdict == "wrong":
            wrong.append({"why": why, **body})
    seconds = time.process_time() - start
    return {
        "trials": trials,
        "seed": seed,
        **{name: counts[name] for name in ("answered", "refused", "wrong")},
        "milliseconds_each": 1e3 * seconds / trials,
        "first_wrong": wrong[:20],
    }


def main() -> None:
    """Run and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()
    result = run(options.trials, options.seed)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print({name: result[name] for name in ("trials", "answered", "refused", "wrong")})


if __name__ == "__main__":
    main()
