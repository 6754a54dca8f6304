"""Summary of a clinic: overlap, outcomes of several policies, and sources of effect variance."""

from dataclasses import dataclass, field
from itertools import combinations
from math import factorial

import numpy as np
from jaxtyping import Float64

from posology.simulators.clinic.clinicians import choose_by_consensus_2022
from posology.simulators.clinic.disease import first_state, response_features
from posology.simulators.clinic.draws import make_draws
from posology.simulators.clinic.options import NAMES
from posology.simulators.clinic.population import draw_patients
from posology.simulators.clinic.response import (
    SOURCES,
    ResponseFeatures,
    full_dose_fall,
    hold_at_mean,
)
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.simulation import SimulatedPatients
from posology.simulators.clinic.truth import ClinicDecisions, best_option, effective_at_best_dose


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Sums over chunks; `to_rows` converts them to rates."""

    sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    """(Sum, count) of each metric."""

    def add(self, simulated: SimulatedPatients) -> None:
        """Add one chunk of patients."""
        d = simulated.decisions
        n = len(simulated.patients.subject_id)
        self._add("events_per_patient", np.full(1, len(simulated.events.code) / n), n)
        self._add("decisions_per_patient", np.full(1, len(d.option) / n), n)
        for name, part in (("", np.ones(len(d.option), bool)), ("first_", d.quarter == 0)):
            self._add_policies(name, d, part)
        share = d.choice_probability.sum(axis=2)
        self._add("propensity_of_given", share[np.arange(len(share)), d.option])
        self._add("propensity_below_0.05", (share < 0.05).mean(axis=1))
        self._add("propensity_above_0.95", (share > 0.95).any(axis=1))
        logged = np.clip(share[np.arange(len(share)), best_option(d.truth)], 0, 1)
        self._add("propensity_of_best", logged)
        self._add("stopped_for_intolerance", d.is_stopped)
        for k, name in enumerate(NAMES):
            chosen = d.option == k
            self._add(f"given_{name}", chosen)
            self._add(f"best_is_{name}", best_option(d.truth) == k)
            self._add(f"effective_when_given_{name}", _effective_of_chosen(d)[chosen])

    def to_rows(self) -> list[dict[str, object]]:
        """One row per metric, in the format of `--json`."""
        return [
            {
                "study": "clinic",
                "model": "",
                "split": "all",
                "metric": metric,
                "value": total / count if count else float("nan"),
                "n": count,
            }
            for metric, (total, count) in self.sums.items()
        ]

    def _add_policies(self, prefix: str, d: ClinicDecisions, part: np.ndarray) -> None:
        """True outcomes of several policies."""
        truth, rows = d.truth, np.arange(len(d.option))
        best_level = np.nanargmax(np.nan_to_num(truth.effective, nan=-1.0), axis=2)
        best, guideline = best_option(truth), choose_by_consensus_2022(d)
        no_history = np.nan_to_num(d.effective_without_history, nan=-1.0)
        without_history = no_history.max(axis=2).argmax(axis=1)
        policies: dict[str, tuple[np.ndarray, np.ndarray]] = {
            "best": (best, best_level[rows, best]),
            "best_without_history": (
                without_history,
                no_history[rows, without_history].argmax(axis=1),
            ),
            "clinicians": (d.option, d.level),
            "clinicians_best_dose": (d.option, best_level[rows, d.option]),
            "guideline": (guideline, best_level[rows, guideline]),
        }
        for k, name in enumerate(NAMES):
            policies[f"always_{name}"] = (np.full(len(rows), k), best_level[:, k])
        top = effective_at_best_dose(truth).max(axis=1)
        for name, (option, level) in policies.items():
            effective = truth.effective[rows, option, level]
            self._add(f"{prefix}effective.{name}", effective[part])
            self._add(f"{prefix}regret.{name}", (top - effective)[part])
            self._add(f"{prefix}accuracy.{name}", (option == best)[part])
            self._add(f"{prefix}hba1c.{name}", truth.hba1c[rows, option, level][part])
            self._add(f"{prefix}harms.{name}", truth.harm[rows, option, level].sum(axis=1)[part])
            self._add(f"{prefix}cost.{name}", truth.cost[rows, option, level][part])

    def _add(self, metric: str, values: np.ndarray, weight: int = 1) -> None:
        total, count = self.sums.get(metric, (0.0, 0))
        self.sums[metric] = (total + float(values.sum()) * weight, count + len(values) * weight)


def _effective_of_chosen(d: ClinicDecisions) -> Float64[np.ndarray, " decision"]:
    return d.truth.effective[np.arange(len(d.option)), d.option, d.level]


def effect_variance_shares(settings: ClinicSettings, patients: int = 20_000) -> dict[str, float]:
    """Share of each source, and the whole under `variance` (mmol/mol squared).

    The effect is a patient's expected fall of HbA1c on an option at its largest dose, at the first
    visit, less the mean of the five, which determines the best option. Its variance over
    patients, averaged over options, is split among the sources by Shapley's rule (each source's
    added variance, averaged over all orders of adding them), because they multiply (adherence) and
    are correlated (age and eGFR).
    """
    people = draw_patients(settings, np.arange(1, patients + 1))
    start = first_state(people, make_draws(settings.seed, people.subject_id))
    known = response_features(people, start)
    names = tuple(SOURCES)
    variance = {
        varying: _variance(known, varying)
        for size in range(len(names) + 1)
        for varying in combinations(names, size)
    }
    total = variance[names]
    shares = {name: _shapley(name, names, variance) / total for name in names}
    return {**shares, "variance": total}


def _variance(known: ResponseFeatures, varying: tuple[str, ...]) -> float:
    """Mean over options of the variance of the effect when only some sources vary."""
    for source in SOURCES:
        if source not in varying:
            known = hold_at_mean(known, source)
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
