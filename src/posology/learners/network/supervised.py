"""The first phase: learn what was effective, what clinicians gave, and how much."""

from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.domain.study import INTERVALS
from posology.learners.features.dose_grid import modelled_dose_levels
from posology.learners.network import losses
from posology.learners.network.checkpoint import Epoch, RunFolder
from posology.learners.network.closed_form_effects import solve_effects
from posology.learners.network.distributed import distribute
from posology.learners.network.head_init import init_heads_at_rates
from posology.learners.network.head_shrinkage import initial_biases, shrink_heads
from posology.learners.network.linear_baseline import fit_additive_head
from posology.learners.network.policy import Decoding, NetworkPolicy
from posology.learners.network.progression_error import with_progression_error
from posology.learners.network.tensors import (
    cohort_to_tensors,
    ensemble_losses,
    gather_subjects,
    task_targets,
)
from posology.learners.network.training_loop import Training, train_epochs
from posology.nn.encoders import EncoderName
from posology.nn.heads import TaskCounts
from posology.nn.network import Network, NetworkConfig
from posology.nn.treatment_history import TreatmentCodes


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the network is; what depends on the cohort is filled in when it is met."""

    width: int = 256
    state: int = 64
    hidden: int = 256
    layers: int = 1
    members: int = 32
    dropout: float = 0.3
    event_dropout: float = 0.0
    encoder: EncoderName = "gru"
    attention: bool = True
    last_steps: int = 512
    history_summary: bool = False
    """See `NetworkConfig`."""


@dataclass(frozen=True, slots=True)
class Supervised:
    """Cross-entropy on the most effective option, with propensity and dose beside it."""

    sizes: Sizes = field(default_factory=Sizes)
    training: Training = field(default_factory=Training)
    device: str = "cpu"
    prior: float = 300.0
    """How small the differences between options are believed to be before they are seen: the
    penalty of a ridge regression on standardised numbers, a sum over decisions."""

    def fit(self, train: Cohort, validation: Cohort) -> NetworkPolicy:
        """The finished policy of the epoch that validates best."""
        return run_to_end(self.fit_epochs(train, validation))

    def fit_epochs(
        self,
        train: Cohort,
        validation: Cohort,
        folder: Path | None = None,
        start: dict[str, Tensor] | None = None,
    ) -> Generator[Epoch, None, NetworkPolicy]:
        """The same, epoch by epoch; the generator's return value is the policy.

        folder: where a run that was killed goes on; start: weights to begin with.
        """
        device = torch.device(self.device)
        reading = fit_decoding(train)
        network = build_network(self.sizes, train, self.training.seed).to(device)
        network.load_state_dict({**network.state_dict(), **(start or {})})
        if self.training.compile_trunk and device.type == "cuda":
            network.trunk.compile()
        learn = cohort_to_tensors(train, reading, network.config, device)
        init_heads_at_rates(network, learn.targets)
        check = cohort_to_tensors(validation, reading, network.config, device)
        fit_additive_head(network, learn, check)
        start_of_heads = initial_biases(network)

        asked = distribute(network)
        known = max(int((train.outcome_observed & (train.treatment >= 0)).sum()), 1)

        def loss(subjects: Tensor) -> dict[str, Tensor]:
            batch, targets = gather_subjects(learn, subjects)
            parts = losses.supervised(asked(batch, targets.log_dose, with_value=False), targets)
            if network.curves is not None:
                parts["prior"] = network.curves.squared_norm() * (self.prior / known)
            return parts

        def validate() -> dict[str, float]:
            return ensemble_losses(network, check)

        kept = RunFolder(folder) if folder else None
        yield from train_epochs(network, learn.steps, loss, validate, self.training, kept)
        shrink_heads(network, start_of_heads, check)
        if network.curves is not None:
            solve_effects(network, learn)
        reading = with_progression_error(reading, network.eval(), check)
        return NetworkPolicy(train.study.formulary, train.profile, network, reading)


def run_to_end(fitting: Generator[Epoch, None, NetworkPolicy]) -> NetworkPolicy:
    """Run a fitting to its end and hand over what it made."""
    while True:
        try:
            next(fitting)
        except StopIteration as end:
            return end.value


def fit_decoding(train: Cohort) -> Decoding:
    """Return the scales of doses, target distances and progressions in the training data."""
    levels = modelled_dose_levels(train)
    # Milligrams of one drug and of another are no one dose.
    root = np.sqrt(_known(train.dose)) if not levels else np.empty(0)
    margin = _known(np.empty(0) if train.target_distance is None else train.target_distance)
    course = [_known(column) for column in task_targets("progression", train).T]
    return Decoding(
        dose_center=float(root.mean()) if len(root) else 0.0,
        dose_spread=float(root.std()) or 1.0 if len(root) else 1.0,
        target_distance_center=float(margin.mean()) if len(margin) else 0.0,
        target_distance_spread=float(margin.std()) or 1.0 if len(margin) else 1.0,
        dose_levels=levels,
        progression_center=tuple(float(c.mean()) if len(c) else 0.0 for c in course),
        progression_spread=tuple((float(c.std()) or 1.0) if len(c) else 1.0 for c in course),
    )


def _known(column: np.ndarray) -> np.ndarray:
    return column[~np.isnan(column)].astype(np.float64)


def _past(cohort: Cohort) -> TreatmentCodes:
    """The codes of the study's options, of its outcome, and of what makes one ineffective."""
    profile, study = cohort.profile, cohort.study
    option = np.full(len(profile.codes), -1)
    for row, treatment in enumerate(study.formulary.treatments):
        option[list(profile.rows(treatment.codes))] = row
    return TreatmentCodes(
        option=tuple(int(k) for k in option),
        outcome=tuple(sorted(profile.rows(study.outcome.codes))),
        stopped=tuple(sorted(profile.rows(study.outcome.unless))),
    )


def build_network(sizes: Sizes, cohort: Cohort, seed: int) -> Network:
    """A network for the cohort's vocabulary and questions, before it has learned."""
    levels = modelled_dose_levels(cohort)
    config = NetworkConfig(
        codes=len(cohort.profile.codes),
        treatments=len(cohort.study.formulary.treatments),
        exclusive=bool((cohort.best_treatment >= 0).any()),
        tasks=TaskCounts(
            conditions=task_targets("diagnosis", cohort).shape[1],
            progressions=task_targets("progression", cohort).shape[1],
            times_to_event=task_targets("event_time", cohort).shape[1],
            intervals=INTERVALS,
        ),
        dose_levels=levels,
        treatment_codes=_past(cohort) if levels else TreatmentCodes(),
        **asdict(sizes),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Network(config)
