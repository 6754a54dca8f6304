"""The second phase: learn what each option is worth from outcomes, and act on it with care."""

import copy
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.domain.policy import everything_allowed
from posology.learners import losses
from posology.learners.distributed import shared
from posology.learners.loop import Training, epochs
from posology.learners.neural import NetworkPolicy, Reading
from posology.learners.resume import Epoch, Keep
from posology.learners.supervised import finish
from posology.learners.tensors import CohortTensors, in_batches, rows_of, tensors
from posology.nn.batch import Batch
from posology.nn.network import Network


@dataclass(frozen=True, slots=True)
class Reinforcement:
    """Fitted values by temporal differences, then a policy in closed form around the clinicians'.

    Values start from least squares of the rewards on what the first phase believes of each option,
    and what the first phase learned stays as it was unless `whole` is asked.
    Where the study knows what every option would have earned, all are fitted; else only the one
    given. Values after a decision come from a slowly moving copy of the network, and from its
    ensemble's lower bound. The temperature and the pessimism are chosen on validation patients.
    """

    training: Training = field(
        default_factory=lambda: Training(learning_rate=3e-4, epochs=8, patience=3, keep_start=True)
    )
    whole: bool = False
    """Whether the whole network learns on, or its values alone."""
    discount: float = 1.0
    """Of the next decision's value, beside the study's own; 1 leaves it to the study."""
    moving: float = 0.99
    """Share of itself that the slow copy keeps at each batch."""
    temperatures: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    pessimisms: tuple[float, ...] = (0.0, 0.5, 1.0)
    device: str = "cpu"

    def fit(self, first: NetworkPolicy, train: Cohort, validation: Cohort) -> NetworkPolicy:
        """The first phase's policy, improved on the outcomes."""
        return finish(self.fitting(first, train, validation))

    def fitting(
        self,
        first: NetworkPolicy,
        train: Cohort,
        validation: Cohort,
        folder: Path | None = None,
    ) -> Generator[Epoch, None, NetworkPolicy]:
        """The same, epoch by epoch; the generator's return value is the policy.

        folder: where a run that was killed goes on.
        """
        self = replace(self, discount=self.discount * train.study.reward.discount)
        device = torch.device(self.device)
        network = copy.deepcopy(first.network).to(device)
        slow = copy.deepcopy(network).eval()
        reading = _reading(first.reading, train)
        learn = tensors(train, reading, network.config, device)
        check = tensors(validation, reading, network.config, device)
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(self.whole or name.startswith(("value.", "worth.")))
        _start(network, learn, reading)
        slow.load_state_dict(network.state_dict())

        asked = shared(network)

        def loss(subjects: Tensor) -> dict[str, Tensor]:
            _follow(slow, network, self.moving)
            batch, targets = rows_of(learn, subjects)
            output = asked(batch)
            goal = self._goal(slow, batch, targets, reading)
            parts = losses.supervised(output, targets) if self.whole else {}
            return {**parts, "value": losses.value(output.value, goal)}

        def validate() -> dict[str, float]:
            return _value_error(network, check, reading)

        kept = Keep(folder, (slow,)) if folder else None
        yield from epochs(network, learn.steps, loss, validate, self.training, kept)
        network.requires_grad_(True)
        learned = replace(first, network=network.eval(), reading=reading)
        return self._cautious(learned, validation)

    def _goal(
        self, slow: Network, batch: Batch, targets: losses.Targets, reading: Reading
    ) -> Float[Tensor, "decision treatment"]:
        """Standardised reward plus what the slow copy thinks the next decision is worth."""
        goal = targets.rewards
        if bool(targets.has_next.any()):
            goal = goal.clone()
            with torch.no_grad():
                output = slow(batch)
            value = output.value * reading.value_spread + reading.value_center
            worth = (value.mean(1) - value.std(1)).max(1).values
            later = torch.where(targets.has_next, torch.roll(worth, -1), 0.0) * self.discount
            given = targets.treatment.clamp_min(0)[:, None]
            goal.scatter_(1, given, goal.gather(1, given) + later[:, None])
        return (goal - reading.value_center) / reading.value_spread

    def _cautious(self, learned: NetworkPolicy, validation: Cohort) -> NetworkPolicy:
        """The temperature and pessimism whose policy earns most on the validation patients."""
        allowed = everything_allowed(validation.last_step, learned.formulary)
        best, most = learned, -np.inf
        for pessimism in self.pessimisms:
            for temperature in self.temperatures:
                reading = replace(learned.reading, temperature=temperature, pessimism=pessimism)
                candidate = replace(learned, reading=reading)
                chosen = candidate.probabilities(validation.history, validation.last_step, allowed)
                earned = float((chosen * validation.rewards).sum(1).mean())
                if earned > most:
                    best, most = candidate, earned
        return best


def _reading(reading: Reading, train: Cohort) -> Reading:
    known = train.rewards[~np.isnan(train.rewards)].astype(np.float64)
    known = known if len(known) else train.reward[~np.isnan(train.reward)].astype(np.float64)
    return replace(
        reading, value_center=float(known.mean()), value_spread=float(known.std()) or 1.0
    )


def _start(network: Network, cohort: CohortTensors, reading: Reading) -> None:
    """Set `worth` by least squares of rewards on beliefs, option by option (ridge 1e-3 each)."""
    believed, rewards = [], []
    network.eval()
    with torch.no_grad():
        for batch, targets in in_batches(cohort):
            believed.append(network.believed(network(batch).effectiveness).mean(1))
            rewards.append((targets.rewards - reading.value_center) / reading.value_spread)
        X, y = torch.cat(believed).double(), torch.cat(rewards).double()
        X = torch.cat([X, torch.ones_like(X[:, :1])], 1)
        for option in range(y.shape[1]):
            known = ~y[:, option].isnan()
            A, b = X[known], y[known, option]
            ridge = 1e-3 * max(len(A), 1) * torch.eye(A.shape[1], dtype=A.dtype, device=A.device)
            solved = torch.linalg.solve(A.T @ A + ridge, A.T @ b).float()
            network.worth.weight[option] = solved[:-1]
            network.worth.bias[option] = solved[-1]


def _follow(slow: Network, network: Network, moving: float) -> None:
    with torch.no_grad():
        for old, new in zip(slow.parameters(), network.parameters(), strict=True):
            old.lerp_(new, 1 - moving)


def _value_error(network: Network, cohort: CohortTensors, reading: Reading) -> dict[str, float]:
    """Squared error of the members' mean value over a cohort, in standardised rewards."""
    total, count = 0.0, 0
    for batch, targets in in_batches(cohort):
        goal = (targets.rewards - reading.value_center) / reading.value_spread
        mean = network(batch).value.mean(1, keepdim=True)
        size = int((~goal.isnan()).sum())
        total += float(losses.value(mean, goal)) * size
        count += size
    error = total / max(count, 1)
    return {"value": error, "score": error}
