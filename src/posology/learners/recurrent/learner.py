"""Two phases on sequences of visits: what comes next, then the value of each treatment.

The first phase learns from every visit what the clinicians choose, what is seen next, the reward
and the return: whatever forecasts these is a belief about the patient's hidden state. The second
continues from it by fitted Q iteration on the recurrent state, with the ensemble's lower bound
among supported treatments (as `PessimisticFQI`), and goes on forecasting, which keeps the belief.
Where the last visit holds the whole state, memory only adds noise: the first phase finds that out.
"""

import copy
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.learners.features.visit_sequences import VisitSpec, fit_visits, without_memory
from posology.learners.offline_rl.policy import ActionSelection
from posology.learners.recurrent.dataset import (
    Batch,
    SequenceData,
    ValueScale,
    build_sequences,
    fit_scale,
)
from posology.learners.recurrent.forecasts import (
    forecast_losses,
    learn_forecasts,
    mean_loss,
    usable_rows,
    validation_losses,
    value_of_treatment,
)
from posology.learners.recurrent.minimise import endless_batches, minimise
from posology.learners.recurrent.network import (
    RecurrentEnsemble,
    RecurrentOutput,
    RecurrentSizes,
    best_supported,
    lower_bound,
)
from posology.learners.recurrent.policy import RecurrentPolicy
from posology.learners.recurrent.schedule import Schedule, schedule_for

FEW = 2
"""Members that are enough to see whether forecasts are better without memory."""


@dataclass(frozen=True, slots=True)
class ValuePhase:
    """Settings of the second phase that depend on whether the network remembers."""

    min_support: float
    """Least behaviour probability of a treatment, relative to the most probable one."""
    forecast_weight: float
    """Of the first phase's losses in the second, which keep the belief."""


@dataclass(frozen=True, slots=True, eq=False)
class _Begun:
    """A network after the first phase, and what the second needs."""

    spec: VisitSpec
    data: SequenceData
    schedule: Schedule
    rng: np.random.Generator
    network: RecurrentEnsemble
    error: float
    """A member's, of the clinicians' choice, the reward and the return on validation patients."""


@dataclass(frozen=True, slots=True)
class RecurrentQ:
    """One recipe for trajectories; rates and lengths follow the number of patients."""

    sizes: RecurrentSizes = field(default_factory=RecurrentSizes)
    pessimism: float = 0.5
    """Standard deviations over members subtracted from each value."""
    tau: float = 0.02
    """Update rate of the target network per batch."""
    remembering: ValuePhase = ValuePhase(min_support=0.1, forecast_weight=0.5)
    alone: ValuePhase = ValuePhase(min_support=0.3, forecast_weight=0.03)
    """Without memory: the support is discrete BCQ's (Fujimoto et al. 2019, arXiv:1910.01708), and
    there is no belief to keep (docs/decisions/histories.md)."""
    schedule: Schedule | None = None
    """None: by the number of patients."""
    seed: int = 0

    def fit(self, train: Cohort, validation: Cohort) -> RecurrentPolicy:
        """Train on `train`; the first phase ends where it forecasts `validation` best.

        The second goes on without memory where forecasts of `validation` are better without.
        """
        scale = fit_scale(train)
        with torch.random.fork_rng(devices=[]):
            begun = self._learn_forecasts(fit_visits(train), scale, train, validation)
            with torch.random.fork_rng(devices=[]):
                spec = without_memory(begun.spec)
                few = replace(self, sizes=replace(self.sizes, members=min(FEW, self.sizes.members)))
                if few._learn_forecasts(spec, scale, train, validation).error < begun.error:
                    begun = self._learn_forecasts(spec, scale, train, validation)
            phase = self.remembering if begun.spec.remembers else self.alone
            network = self._learn_values(begun, phase)
        selection = ActionSelection(
            scale.mean,
            scale.std,
            pessimism=self.pessimism,
            min_support=phase.min_support,
            is_probability=scale.is_probability,
        )
        return RecurrentPolicy(
            train.study.formulary, train.profile, begun.spec, network.to_weights(), selection
        )

    def _learn_forecasts(
        self, spec: VisitSpec, scale: ValueScale, train: Cohort, validation: Cohort
    ) -> _Begun:
        """The first phase."""
        data = build_sequences(train, spec, scale)
        check = build_sequences(validation, spec, scale)
        schedule = self.schedule or schedule_for(len(data), len(data.treatment) / max(len(data), 1))
        rng = np.random.default_rng(self.seed)
        torch.manual_seed(self.seed)  # of dropout
        shape = data.visits.values.shape[1], len(spec.flag_code), spec.treatments
        generator = torch.Generator().manual_seed(self.seed)
        network = RecurrentEnsemble(shape, self.sizes, generator)
        learn_forecasts(network, data, check, schedule, rng)
        losses = validation_losses(network, check)
        losses.pop("following", None)  # of fewer columns without memory
        return _Begun(spec, data, schedule, rng, network, sum(losses.values()) / self.sizes.members)

    def _learn_values(self, begun: _Begun, phase: ValuePhase) -> RecurrentEnsemble:
        """The second phase; returns the target network, a moving average of the weights."""
        network, data, schedule = begun.network, begun.data, begun.schedule
        target = copy.deepcopy(network).eval()

        def loss(batch: Batch) -> Tensor:
            with torch.no_grad():
                goal = self.targets(
                    target(batch.visits), batch, data, schedule.trace, phase.min_support
                )
            output = network(batch.visits, batch.treatment)
            usable = usable_rows(batch) & ~goal.isnan()
            error = value_of_treatment(output.value, batch) - goal.nan_to_num()
            forecasts = sum(forecast_losses(output, batch).values(), torch.zeros(()))
            return mean_loss(error.square(), usable, batch) + phase.forecast_weight * forecasts

        def move_target() -> None:
            with torch.no_grad():
                for old, new in zip(target.parameters(), network.parameters(), strict=True):
                    old.lerp_(new, self.tau)

        batches = endless_batches(data, schedule.batch, begun.rng)
        minimise(network, loss, batches, schedule.second, schedule, move_target)
        return target

    def targets(
        self,
        output: RecurrentOutput,
        batch: Batch,
        data: SequenceData,
        trace: float,
        min_support: float,
    ) -> Float[Tensor, " decision"]:
        """What was earned while the clinicians did what the policy would, then the value there.

        Q(lambda) of Watkins 1989: less of a mistaken value is handed on from visit to visit. A
        later visit counts by its weight, for those whose outcome is not known there.
        """
        zero = data.scale.mean / data.scale.std
        value = lower_bound(output.value, self.pessimism)
        best, choice = best_supported(value, _supported(output, batch, min_support))
        following = torch.where(batch.has_next, torch.roll(best, -1) + zero, 0.0)
        goal = batch.reward + data.discount * following - zero
        goes_on = (choice == batch.treatment) & usable_rows(batch) & ~goal.isnan()
        surplus = torch.where(goes_on, batch.weight * (goal - best), 0.0)
        share = torch.where(goes_on, batch.weight, 0.0)
        kept = torch.where(batch.has_next, data.discount * trace, 0.0)
        later = torch.zeros_like(best)
        for _ in range(batch.longest - 1):
            later = kept * torch.roll(surplus + share * later, -1)
        return goal + later


def _supported(
    output: RecurrentOutput, batch: Batch, min_support: float
) -> Bool[Tensor, "decision treatment"]:
    """Allowed treatments at least `min_support` times as probable as the most probable one."""
    probability = torch.softmax(output.choice, 2).mean(0) * batch.allowed
    return batch.allowed & (probability >= min_support * probability.amax(1, keepdim=True))
