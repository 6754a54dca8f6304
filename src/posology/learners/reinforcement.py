"""The second phase: learn what each option is worth from outcomes, and act on it with care."""

import copy
from collections.abc import Generator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.domain.policy import everything_allowed
from posology.learners import losses
from posology.learners.loop import Epoch, Training, epochs
from posology.learners.neural import NetworkPolicy, Reading
from posology.learners.supervised import finish
from posology.learners.tensors import CohortTensors, rows_of, subjects_in, tensors
from posology.nn.batch import Batch
from posology.nn.network import Network


@dataclass(frozen=True, slots=True)
class Reinforcement:
    """Fitted values by temporal differences, then a policy in closed form around the clinicians'.

    Where the study knows what every option would have earned, all are fitted; else only the one
    given. Values after a decision come from a slowly moving copy of the network, and from its
    ensemble's lower bound. The temperature and the pessimism are chosen on validation patients.
    """

    training: Training = field(
        default_factory=lambda: Training(learning_rate=3e-4, epochs=12, patience=4)
    )
    discount: float = 1.0
    """Of the next decision's value; 1 where a patient's decisions count alike."""
    moving: float = 0.99
    """Share of itself that the slow copy keeps at each batch."""
    temperatures: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    pessimisms: tuple[float, ...] = (0.0, 0.5, 1.0)
    device: str = "cpu"

    def fit(self, first: NetworkPolicy, train: Cohort, validation: Cohort) -> NetworkPolicy:
        """The first phase's policy, improved on the outcomes."""
        return finish(self.fitting(first, train, validation))

    def fitting(
        self, first: NetworkPolicy, train: Cohort, validation: Cohort
    ) -> Generator[Epoch, None, NetworkPolicy]:
        """The same, epoch by epoch; the generator's return value is the policy."""
        device = torch.device(self.device)
        network = copy.deepcopy(first.network).to(device)
        slow = copy.deepcopy(network).eval()
        reading = _reading(first.reading, train)
        learn, check = tensors(train, reading, device), tensors(validation, reading, device)

        def loss(subjects: Tensor) -> dict[str, Tensor]:
            _follow(slow, network, self.moving)
            batch, targets = rows_of(learn, subjects.to(device))
            output = network(batch)
            goal = self._goal(slow, batch, targets, reading)
            return {
                **losses.supervised(output, targets),
                "value": losses.value(output.value, goal),
            }

        def validate() -> dict[str, float]:
            return _value_error(network, check, reading)

        yield from epochs(network, subjects_in(learn), loss, validate, self.training)
        learned = replace(first, network=network.eval(), reading=reading)
        return self._cautious(learned, validation)

    def _goal(
        self, slow: Network, batch: Batch, targets: losses.Targets, reading: Reading
    ) -> Float[Tensor, "decision treatment"]:
        """Standardised reward plus what the slow copy thinks the next decision is worth."""
        goal = targets.rewards
        subject = batch.decision_subject
        if len(subject) > 1 and bool((subject[1:] == subject[:-1]).any()):
            goal = goal.clone()
            with torch.no_grad():
                output = slow(batch)
            value = output.value * reading.value_spread + reading.value_center
            worth = (value.mean(1) - value.std(1)).max(1).values
            has_next = torch.zeros_like(subject, dtype=torch.bool)
            has_next[:-1] = subject[1:] == subject[:-1]
            later = torch.where(has_next, torch.roll(worth, -1), 0.0) * self.discount
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


def _follow(slow: Network, network: Network, moving: float) -> None:
    with torch.no_grad():
        for old, new in zip(slow.parameters(), network.parameters(), strict=True):
            old.lerp_(new, 1 - moving)


def _value_error(network: Network, cohort: CohortTensors, reading: Reading) -> dict[str, float]:
    """Squared error of the members' mean value over a cohort, in standardised rewards."""
    every = torch.arange(subjects_in(cohort), device=cohort.offsets.device)
    total, count = 0.0, 0
    for subjects in torch.split(every, 4096):
        batch, targets = rows_of(cohort, subjects)
        goal = (targets.rewards - reading.value_center) / reading.value_spread
        mean = network(batch).value.mean(1, keepdim=True)
        size = int((~goal.isnan()).sum())
        total += float(losses.value(mean, goal)) * size
        count += size
    error = total / max(count, 1)
    return {"value": error, "score": error}
