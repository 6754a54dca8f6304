"""Two phases on sequences of visits: what comes next, then the value of each treatment.

The first phase learns from every visit what the clinicians choose, what is seen next, the reward
and the return: whatever forecasts these is a belief about the patient's hidden state. The second
continues from it by fitted Q iteration on the recurrent state, with the ensemble's lower bound
among supported treatments (as `PessimisticFQI`), and goes on forecasting, which keeps the belief.
"""

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from posology.domain.cohort import Cohort
from posology.learners.features.visit_sequences import VisitSpec, fit_visits
from posology.learners.offline_rl.policy import ActionSelection
from posology.learners.recurrent.dataset import (
    Batch,
    SequenceData,
    build_sequences,
    fit_scale,
    gather,
    random_batches,
)
from posology.learners.recurrent.network import (
    RecurrentEnsemble,
    RecurrentOutput,
    RecurrentSizes,
    best_supported,
    lower_bound,
)
from posology.learners.recurrent.policy import RecurrentPolicy
from posology.learners.recurrent.schedule import Schedule, schedule_for

WARM_UP, CLIP = 50, 5.0
"""Batches in which the rate rises to its full height, and the largest norm of a gradient."""


@dataclass(frozen=True, slots=True)
class RecurrentQ:
    """One recipe for trajectories; rates and lengths follow the number of patients."""

    sizes: RecurrentSizes = field(default_factory=RecurrentSizes)
    pessimism: float = 0.5
    """Standard deviations over members subtracted from each value."""
    min_support: float = 0.1
    """Least behaviour probability of a treatment, relative to the most probable one."""
    tau: float = 0.02
    """Update rate of the target network per batch."""
    forecast_weight: float = 0.5
    """Weight of the first phase's losses in the second."""
    schedule: Schedule | None = None
    """None: by the number of patients."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> RecurrentPolicy:
        """Train on `train`; the first phase ends where it forecasts `validation` best."""
        spec, scale = fit_visits(train), fit_scale(train)
        data = build_sequences(train, spec, scale)
        check = build_sequences(validation, spec, scale)
        schedule = self.schedule or schedule_for(len(data), len(data.treatment) / max(len(data), 1))
        rng = np.random.default_rng(self.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)  # of dropout
            network = self._build(spec, data)
            _learn_forecasts(network, data, check, schedule, rng)
            network = self._learn_values(network, data, schedule, rng)
        selection = ActionSelection(
            scale.mean,
            scale.std,
            pessimism=self.pessimism,
            min_support=self.min_support,
            is_probability=scale.is_probability,
        )
        return RecurrentPolicy(
            train.study.formulary, train.profile, spec, network.to_weights(), selection
        )

    def _build(self, spec: VisitSpec, data: SequenceData) -> RecurrentEnsemble:
        shape = data.visits.values.shape[1], len(spec.flag_code), spec.treatments
        return RecurrentEnsemble(shape, self.sizes, torch.Generator().manual_seed(self.seed))

    def _learn_values(
        self,
        network: RecurrentEnsemble,
        data: SequenceData,
        schedule: Schedule,
        rng: np.random.Generator,
    ) -> RecurrentEnsemble:
        """The second phase; returns the target network, a moving average of the weights."""
        target = copy.deepcopy(network).eval()

        def loss(batch: Batch) -> Tensor:
            with torch.no_grad():
                goal = self.targets(target(batch.visits), batch, data, schedule.trace)
            output = network(batch.visits, batch.treatment)
            usable = _usable(batch) & ~goal.isnan()
            error = _of_treatment(output.value, batch) - goal.nan_to_num()
            forecasts = sum(_forecast_losses(output, batch).values(), torch.zeros(()))
            return _mean(error.square(), usable, batch) + self.forecast_weight * forecasts

        def move_target() -> None:
            with torch.no_grad():
                for old, new in zip(target.parameters(), network.parameters(), strict=True):
                    old.lerp_(new, self.tau)

        batches = itertools.islice(_endless(data, schedule.batch, rng), schedule.second)
        _minimise(network, loss, batches, schedule.second, schedule, move_target)
        return target

    def targets(
        self, output: RecurrentOutput, batch: Batch, data: SequenceData, trace: float
    ) -> Float[Tensor, " decision"]:
        """What was earned while the clinicians did what the policy would, then the value there.

        Q(lambda) of Watkins 1989: less of a mistaken value is handed on from visit to visit. A
        later visit counts by its weight, for those whose outcome is not known there.
        """
        zero = data.scale.mean / data.scale.std
        value = lower_bound(output.value, self.pessimism)
        best, choice = best_supported(value, _supported(output, batch, self.min_support))
        following = torch.where(batch.has_next, torch.roll(best, -1) + zero, 0.0)
        goal = batch.reward + data.discount * following - zero
        goes_on = (choice == batch.treatment) & _usable(batch) & ~goal.isnan()
        surplus = torch.where(goes_on, batch.weight * (goal - best), 0.0)
        share = torch.where(goes_on, batch.weight, 0.0)
        kept = torch.where(batch.has_next, data.discount * trace, 0.0)
        later = torch.zeros_like(best)
        for _ in batch.visits.going[1:]:
            later = kept * torch.roll(surplus + share * later, -1)
        return goal + later


def _learn_forecasts(
    network: RecurrentEnsemble,
    data: SequenceData,
    check: SequenceData,
    schedule: Schedule,
    rng: np.random.Generator,
) -> None:
    """The first phase; keeps the weights of the pass with the least validation loss."""

    def loss(batch: Batch) -> Tensor:
        output = network(batch.visits, batch.treatment)
        parts = _forecast_losses(output, batch)
        error = (_of_treatment(output.value, batch) - batch.returns.nan_to_num()).square()
        parts["return"] = _mean(error, _usable(batch) & ~batch.returns.isnan(), batch)
        return sum(parts.values(), torch.zeros(()))

    best, least = copy.deepcopy(network.state_dict()), np.inf

    def validate() -> None:
        nonlocal best, least
        now = _validation_loss(network, loss, check)
        if now < least:
            best, least = copy.deepcopy(network.state_dict()), now

    batches = _endless(data, schedule.batch, rng, validate)
    _minimise(network, loss, itertools.islice(batches, schedule.first), schedule.first, schedule)
    validate()
    if np.isfinite(least):
        network.load_state_dict(best)


def _validation_loss(
    network: RecurrentEnsemble, loss: Callable[[Batch], Tensor], check: SequenceData
) -> float:
    network.eval()
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(check), 512):
            patients = np.arange(start, min(start + 512, len(check)))
            total += float(loss(gather(check, patients))) * len(patients)
    network.train()
    return total / max(len(check), 1) if len(check) else np.nan


def _minimise(
    network: RecurrentEnsemble,
    loss: Callable[[Batch], Tensor],
    batches: Iterator[Batch],
    steps: int,
    schedule: Schedule,
    after_step: Callable[[], None] = lambda: None,
) -> None:
    """Adam with weight decay over `steps` batches; the rate falls along a cosine."""
    network.train()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    for step, batch in enumerate(batches):
        factor = min(1.0, (step + 1) / WARM_UP) * 0.5 * (1 + np.cos(np.pi * step / steps))
        optimizer.param_groups[0]["lr"] = schedule.learning_rate * factor
        optimizer.zero_grad(set_to_none=True)
        loss(batch).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        after_step()


def _endless(
    data: SequenceData,
    size: int,
    rng: np.random.Generator,
    after_pass: Callable[[], None] = lambda: None,
) -> Iterator[Batch]:
    """Pass after pass over the patients in random order."""
    while True:
        for patients in random_batches(data, size, rng):
            yield gather(data, patients)
        after_pass()


def _forecast_losses(output: RecurrentOutput, batch: Batch) -> dict[str, Tensor]:
    """Of the clinicians' choice, the next visit and the reward; means over decisions."""
    members = len(output.value)
    given = batch.treatment >= 0
    logits = output.choice.transpose(1, 2)
    chosen = batch.treatment.clamp_min(0).expand(members, -1)
    choice = F.cross_entropy(logits, chosen, reduction="none")
    reward = (_of_treatment(output.reward, batch) - batch.reward.nan_to_num()).square()
    following = (output.following - batch.following).square().mean(2)
    return {
        "choice": _mean(choice, given, batch),
        "reward": _mean(reward, _usable(batch), batch),
        "following": _mean(following, given & batch.has_next, batch),
    }


def _usable(batch: Batch) -> Bool[Tensor, " decision"]:
    return (batch.treatment >= 0) & ~batch.reward.isnan() & (batch.weight > 0)


def _of_treatment(
    values: Float[Tensor, "member decision treatment"], batch: Batch
) -> Float[Tensor, "member decision"]:
    """The value of the treatment given."""
    chosen = batch.treatment.clamp_min(0).expand(values.shape[0], -1)
    return values.gather(2, chosen[..., None])[..., 0]


def _mean(
    loss: Float[Tensor, "member decision"], rows: Bool[Tensor, " decision"], batch: Batch
) -> Float[Tensor, ""]:
    """Weighted mean over decisions; sum over members, each of which learns for itself."""
    if not bool(rows.any()):
        return loss.nan_to_num().sum() * 0.0
    weight = batch.weight[rows]
    return (loss[:, rows].sum(0) * weight).sum() / weight.sum().clamp_min(1e-6)


def _supported(
    output: RecurrentOutput, batch: Batch, min_support: float
) -> Bool[Tensor, "decision treatment"]:
    """Allowed treatments at least `min_support` times as probable as the most probable one."""
    probability = torch.softmax(output.choice, 2).mean(0) * batch.allowed
    return batch.allowed & (probability >= min_support * probability.amax(1, keepdim=True))
