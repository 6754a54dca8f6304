"""What a clinic is like: overlap, outcomes, and what each way of choosing is worth."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from posology.simulators.clinic.decisions import Decisions
from posology.simulators.clinic.five_years import Course
from posology.simulators.clinic.guideline import consensus_2022
from posology.simulators.clinic.options import NAMES
from posology.simulators.clinic.truth import at_best_dose, best_option


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Sums over chunks; `rows` turns them into rates."""

    sums: dict[str, tuple[float, int]] = field(default_factory=dict)
    """Metric to (sum, count)."""

    def add(self, course: Course) -> None:
        """Count one chunk."""
        d = course.decisions
        n = len(course.patients.subject_id)
        self._put("events_per_patient", np.full(1, len(course.events.code) / n), n)
        self._put("decisions_per_patient", np.full(1, len(d.option) / n), n)
        for name, part in (("", np.ones(len(d.option), bool)), ("first_", d.quarter == 0)):
            self._worth(name, d, part)
        share = d.probability.sum(axis=2)
        self._put("propensity_of_given", share[np.arange(len(share)), d.option])
        self._put("propensity_below_0.05", (share < 0.05).mean(axis=1))
        self._put("propensity_above_0.95", (share > 0.95).any(axis=1))
        logged = np.clip(share[np.arange(len(share)), best_option(d.truth)], 0, 1)
        self._put("propensity_of_best", logged)
        self._put("stopped_for_intolerance", d.stops)
        for k, name in enumerate(NAMES):
            mine = d.option == k
            self._put(f"given_{name}", mine)
            self._put(f"best_is_{name}", best_option(d.truth) == k)
            self._put(f"effective_when_given_{name}", _given(d)[mine])

    def rows(self) -> list[dict[str, object]]:
        """One row a metric, as every posology command writes them."""
        return [
            {"study": "clinic", "model": "", "split": "all", "metric": metric,
             "value": total / count if count else float("nan"), "n": count}
            for metric, (total, count) in self.sums.items()
        ]  # fmt: skip

    def _worth(self, prefix: str, d: Decisions, part: np.ndarray) -> None:
        """What several ways of choosing are worth by the truth."""
        truth, rows = d.truth, np.arange(len(d.option))
        best_level = np.nanargmax(np.nan_to_num(truth.effective, nan=-1.0), axis=2)
        best, guideline = best_option(truth), consensus_2022(d)
        blind = np.nan_to_num(d.without_history, nan=-1.0)
        unseeing = blind.max(axis=2).argmax(axis=1)
        ways: dict[str, tuple[np.ndarray, np.ndarray]] = {
            "best": (best, best_level[rows, best]),
            "best_without_history": (unseeing, blind[rows, unseeing].argmax(axis=1)),
            "clinicians": (d.option, d.level),
            "clinicians_best_dose": (d.option, best_level[rows, d.option]),
            "guideline": (guideline, best_level[rows, guideline]),
        }
        for k, name in enumerate(NAMES):
            ways[f"always_{name}"] = (np.full(len(rows), k), best_level[:, k])
        top = at_best_dose(truth).max(axis=1)
        for name, (option, level) in ways.items():
            worth = truth.effective[rows, option, level]
            self._put(f"{prefix}effective.{name}", worth[part])
            self._put(f"{prefix}regret.{name}", (top - worth)[part])
            self._put(f"{prefix}accuracy.{name}", (option == best)[part])
            self._put(f"{prefix}hba1c.{name}", truth.hba1c[rows, option, level][part])
            self._put(f"{prefix}harms.{name}", truth.harm[rows, option, level].sum(axis=1)[part])
            self._put(f"{prefix}cost.{name}", truth.cost[rows, option, level][part])

    def _put(self, metric: str, values: np.ndarray, weight: int = 1) -> None:
        total, count = self.sums.get(metric, (0.0, 0))
        self.sums[metric] = (total + float(values.sum()) * weight, count + len(values) * weight)


def _given(d: Decisions) -> Float64[np.ndarray, " decision"]:
    return d.truth.effective[np.arange(len(d.option)), d.option, d.level]
