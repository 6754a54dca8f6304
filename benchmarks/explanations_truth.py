"""Which facts truly separate two options in the virtual clinic, decision by decision.

A fact's true contribution to the difference of two options is the difference of their true
P(effective), each at its truly best dose, minus the same difference with the fact at the mean of
all decisions (each genotype: averaged over its frequencies; an earlier treatment: without the
patient's lasting response to that option). What is recorded of a fact counts as the fact: weight
and body mass index for body mass, steps for activity, refills for adherence, the sensor for HbA1c.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from posology.simulators.clinic.disease import DiseaseState
from posology.simulators.clinic.events import CODES, ROW
from posology.simulators.clinic.genome import VARIANTS
from posology.simulators.clinic.options import NAMES
from posology.simulators.clinic.population import Patients
from posology.simulators.clinic.response import FEMALE
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.simulation import simulate_patients
from posology.simulators.clinic.truth import effective_at_best_dose, true_effects

RECORDED_AS: dict[str, tuple[str, ...]] = {
    "hba1c": ("hba1c", "sensor_glucose"),
    "bmi": ("bmi", "weight"),
    "egfr": ("egfr",),
    "age": ("birth",),
    "duration": ("diabetes",),
    "sex": ("female", "male"),
    "triglycerides": ("triglycerides",),
    "alt": ("alt",),
    "activity": ("activity", "steps"),
    "diet": ("diet",),
    "smoking": ("never_smoker", "former_smoker", "smoker"),
    "adherence": ("adherence", "covered"),
    "deprivation": ("deprivation",),
    **{v.rsid: (v.rsid,) for v in VARIANTS},
    **{f"earlier {name}": (name,) for name in NAMES},
}
"""What the truth depends on, and the names of the clinic's codes that record it."""

Effects = Float64[np.ndarray, "decision treatment"]


@dataclass(frozen=True, slots=True, eq=False)
class TrueContributions:
    """By decision, in the order of `keys`."""

    keys: dict[tuple[int, int], int]
    """Row of each subject and minute of the review."""
    effects: Effects
    """True P(effective) of each option at its best dose, of 100."""
    without: dict[str, Effects]
    """The same without each fact of RECORDED_AS."""


def meds_prefixes(fact: str) -> tuple[str, ...]:
    """Codes of the records that tell a fact of RECORDED_AS."""
    return tuple(CODES[ROW[name]].meds for name in RECORDED_AS[fact])


def true_contributions(
    settings: ClinicSettings, facts: tuple[str, ...] = tuple(RECORDED_AS)
) -> TrueContributions:
    """The truth of every decision, from a second run of the same patients."""
    seen: list[tuple[Patients, DiseaseState, np.ndarray]] = []
    ids = np.arange(settings.patients) + 1
    simulated = simulate_patients(settings, ids, lambda *now: seen.append(now))
    means = _means(seen)
    parts = [_one_quarter(*now, means, facts) for now in seen]
    subject = np.concatenate([patients.subject_id for patients, _, _ in seen])
    quarter = np.concatenate([np.full(len(reported), now.quarter) for _, now, reported in seen])
    minute = {
        (int(s), int(q)): int(m)
        for s, q, m in zip(
            simulated.decisions.subject_id,
            simulated.decisions.quarter,
            simulated.decisions.minute,
            strict=True,
        )
    }
    keys = {
        (int(s), minute[int(s), int(q)]): row
        for row, (s, q) in enumerate(zip(subject, quarter, strict=True))
    }
    effects = np.concatenate([part["recorded"] for part in parts])
    without = {name: np.concatenate([part[name] for part in parts]) for name in facts}
    return TrueContributions(keys, effects, without)


def _means(seen: list[tuple[Patients, DiseaseState, np.ndarray]]) -> dict[str, float]:
    columns: dict[str, Callable[[Patients, DiseaseState, np.ndarray], np.ndarray]] = {
        "reported": lambda p, s, r: r,  # noqa: ARG005
        "bmi": lambda p, s, r: p.bmi,  # noqa: ARG005
        "egfr": lambda p, s, r: s.egfr,  # noqa: ARG005
        "age": lambda p, s, r: p.age + s.quarter / 4,  # noqa: ARG005
        "duration": lambda p, s, r: p.duration + s.quarter / 4,  # noqa: ARG005
        "adherence": lambda p, s, r: p.adherence,  # noqa: ARG005
    }
    return {
        name: float(np.concatenate([read(*now) for now in seen]).mean())
        for name, read in columns.items()
    }


def _one_quarter(
    patients: Patients,
    state: DiseaseState,
    reported: np.ndarray,
    means: dict[str, float],
    facts: tuple[str, ...],
) -> dict[str, Effects]:
    def effects(p: Patients, s: DiseaseState, r: np.ndarray) -> Effects:
        return 100 * effective_at_best_dose(true_effects(p, s, r))

    found = {"recorded": effects(patients, state, reported)}
    for name, (p, s, r) in _held(patients, state, reported, means):
        if name in facts:
            found[name] = effects(p, s, r)
    for row, variant in enumerate(VARIANTS):
        if variant.rsid not in facts:
            continue
        f = variant.frequency
        total = np.zeros_like(found["recorded"])
        for copies, share in enumerate(((1 - f) ** 2, 2 * f * (1 - f), f**2)):
            genotype = patients.genotype.copy()
            genotype[:, row] = copies
            total += share * effects(replace(patients, genotype=genotype), state, reported)
        found[variant.rsid] = total
    if "sex" in facts:
        other = np.where(patients.female, 1 - FEMALE, FEMALE)[:, None]  # share of the other sex
        found["sex"] = other * found["sex"] + (1 - other) * found["recorded"]
    return found


def _held(
    p: Patients, s: DiseaseState, reported: np.ndarray, means: dict[str, float]
) -> Iterator[tuple[str, tuple[Patients, DiseaseState, np.ndarray]]]:
    """The same patients with one fact at its mean."""
    years, n = s.quarter / 4, len(reported)

    def all_at(value: float) -> np.ndarray:
        return np.full(n, value)

    shift = means["reported"] - reported
    yield "hba1c", (p, replace(s, trend=s.trend + shift), all_at(means["reported"]))
    fixed = {
        "bmi": {"bmi": all_at(means["bmi"])},
        "age": {"age": all_at(means["age"] - years)},
        "duration": {"duration": all_at(means["duration"] - years)},
        "triglycerides": {"triglycerides": all_at(0.0)},
        "alt": {"alt": all_at(0.0)},
        "activity": {"activity": all_at(0.0)},
        "diet": {"diet": all_at(0.0)},
        "smoking": {"smoking": np.zeros(n, np.int8)},
        "adherence": {"adherence": all_at(means["adherence"])},
        "deprivation": {"deprivation": all_at(3.0)},
        "sex": {"female": ~p.female},
    }
    for name, columns in fixed.items():
        yield name, (replace(p, **columns), s, reported)
    yield "egfr", (p, replace(s, egfr=all_at(means["egfr"])), reported)
    for k, name in enumerate(NAMES):
        trait, liability, tolerated = p.trait.copy(), p.liability.copy(), s.tolerated.copy()
        trait[:, k], liability[:, k], tolerated[:, k] = 0.0, 0.0, False
        forgotten = replace(p, trait=trait, liability=liability)
        yield f"earlier {name}", (forgotten, replace(s, tolerated=tolerated), reported)
