"""What share of the treatment-effect variance each source carries."""

from itertools import combinations
from math import factorial

import numpy as np

from posology.simulators.clinic.disease import features, first_state
from posology.simulators.clinic.draws import draws_of
from posology.simulators.clinic.population import draw_patients
from posology.simulators.clinic.response import SOURCES, Features, full_dose_fall, without
from posology.simulators.clinic.settings import ClinicSettings


def effect_variance_shares(settings: ClinicSettings, patients: int = 20_000) -> dict[str, float]:
    """Share of each source, and the whole under `variance` (mmol/mol squared).

    The effect is a patient's expected fall of HbA1c on an option at its largest dose, at the first
    visit, less the mean of the five: what decides which option is best. Its variance over
    patients, averaged over options, is split among the sources by Shapley's rule (each source's
    variance added, averaged over all orders of adding them), because they multiply (adherence) and
    go together (age and eGFR).
    """
    people = draw_patients(settings, np.arange(1, patients + 1))
    start = first_state(people, draws_of(settings.seed, people.subject_id))
    known = features(people, start)
    names = tuple(SOURCES)
    variance = {
        kept: _variance(known, kept)
        for size in range(len(names) + 1)
        for kept in combinations(names, size)
    }
    total = variance[names]
    shares = {name: _shapley(name, names, variance) / total for name in names}
    return {**shares, "variance": total}


def _variance(known: Features, kept: tuple[str, ...]) -> float:
    """Mean over options of the variance of the effect when only some sources vary."""
    for source in SOURCES:
        if source not in kept:
            known = without(known, source)
    fall = full_dose_fall(known)
    return float((fall - fall.mean(axis=1, keepdims=True)).var(axis=0).mean())


def _shapley(name: str, names: tuple[str, ...], variance: dict[tuple[str, ...], float]) -> float:
    others = [other for other in names if other != name]
    total = 0.0
    for size in range(len(names)):
        weight = factorial(size) * factorial(len(names) - size - 1) / factorial(len(names))
        for before in combinations(others, size):
            after = tuple(other for other in names if other in before or other == name)
            total += weight * (variance[after] - variance[before])
    return total
