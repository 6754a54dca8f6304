"""What a policy costs of each harm budget, estimated with weights of states on unseen patients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from posology.causal.trajectories.care import LoggedCare, Matrix
from posology.causal.trajectories.gain import TrajectoryGain, estimate_trajectory_gain
from posology.causal.trajectories.harm_bounds import upper_bounds
from posology.domain.safety_rules.harm_budget import HarmBudget
from posology.domain.trajectories import episode_returns

PerBudget = Float64[np.ndarray, " budget"]


@dataclass(frozen=True, slots=True)
class BudgetFinding:
    """One budget and what a policy costs of it, per year, patient or decision."""

    name: str
    at_most: float
    per: str
    rate: float
    """Estimated under the policy."""
    upper: float
    """Bound that lies below the true rate with a chance of at most 5 %, all bounds together."""
    usual: float
    """As the patients were treated."""

    @property
    def is_held(self) -> bool:
        """Whether the bound lies within the budget."""
        return self.upper <= self.at_most

    def to_json(self) -> dict[str, Any]:
        """As kept with the policy."""
        numbers = {"rate": self.rate, "upper": self.upper, "usual": self.usual}
        names = {"name": self.name, "at_most": self.at_most, "per": self.per, "held": self.is_held}
        return names | {k: v if np.isfinite(v) else None for k, v in numbers.items()}


@dataclass(frozen=True, slots=True, eq=False)
class HarmCare:
    """Logged care and its harms; each patient's trajectory is complete and its harms are known."""

    care: LoggedCare
    budgets: tuple[HarmBudget, ...]
    harm: Float64[np.ndarray, "decision budget"]
    units: Float64[np.ndarray, "decision budget"]
    """Years, patients or decisions that begin with the decision (domain/safety_rules/)."""

    @property
    def excess(self) -> Float64[np.ndarray, "decision budget"]:
        """Harm less what the budgets allow."""
        return self.harm - self.units * self._limits

    @property
    def units_of_patient(self) -> PerBudget:
        """Mean of a patient's trajectory."""
        return np.add.reduceat(self.units, self.care.trajectories.offsets[:-1]).mean(axis=0)

    @property
    def usual_excess(self) -> PerBudget:
        """Mean harm beyond each budget over a patient's trajectory, as they were treated."""
        logged = self.care.trajectories
        sums = [episode_returns(replace(logged, reward=harm)).mean() for harm in self.excess.T]
        return np.array(sums)

    def spending(self, policy: Matrix, seed: int) -> list[TrajectoryGain]:
        """Of each budget: harm beyond it over a patient's trajectory under a policy."""
        estimates = []
        for harm in self.excess.T:
            logged = replace(self.care.trajectories, reward=harm)
            care = replace(self.care, trajectories=logged, discount=1.0, believed=None)
            estimates.append(estimate_trajectory_gain(care, policy, np.random.default_rng(seed)))
        return estimates

    def bounds(
        self, spending: Sequence[Sequence[TrajectoryGain]], rng: np.random.Generator
    ) -> Float64[np.ndarray, "policy budget"]:
        """Upper bounds of the spending of policies; all hold at once."""
        flat = [each for of_policy in spending for each in of_policy]
        allowed = np.tile(self.units_of_patient * self._limits, len(spending))
        return upper_bounds(flat, allowed, rng).reshape(len(spending), len(self.budgets))

    def findings(
        self, spending: Sequence[TrajectoryGain], upper: PerBudget
    ) -> tuple[BudgetFinding, ...]:
        """One policy's spending as rates."""
        over = [float(each.values.mean()) for each in spending]
        columns = zip(
            self.budgets, over, upper, self.usual_excess, self.units_of_patient, strict=True
        )
        return tuple(
            BudgetFinding(b.name, b.at_most, b.per, *(b.at_most + float(x / units) for x in excess))
            for b, *excess, units in columns
        )

    @property
    def _limits(self) -> PerBudget:
        return np.array([budget.at_most for budget in self.budgets])


def judge_budgets(care: HarmCare, policy: Matrix, seed: int) -> tuple[BudgetFinding, ...]:
    """What one policy, learned from other patients, costs of each budget."""
    spending = care.spending(policy, seed)
    bounds = care.bounds([spending], np.random.default_rng(seed))
    return care.findings(spending, bounds[0])


def describe_finding(f: dict[str, Any]) -> str:
    """One line on a budget, from `BudgetFinding.to_json`."""
    known = "not known" if f["upper"] is None else f"{f['rate']:.3g}, at most {f['upper']:.3g}"
    verdict = "held" if f["held"] else "NOT shown to be held"
    return (
        f"Budget {f['name']} (at most {f['at_most']:g} a {f['per']}): {known}; "
        f"usual care {f['usual']:.3g}: {verdict}."
    )
