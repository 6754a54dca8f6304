"""The supervised phase: learn effectiveness, the clinicians' choice, the dose and the tasks."""

from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from posology.domain.cohort import Cohort
from posology.domain.images import shown_images
from posology.domain.study import INTERVALS
from posology.errors import UserError
from posology.learners.features.dose_grid import modelled_dose_levels
from posology.learners.network import losses
from posology.learners.network.checkpoint import Epoch, RunFolder
from posology.learners.network.closed_form_effects import solve_effects
from posology.learners.network.distributed import distribute
from posology.learners.network.linear_baseline import fit_additive_head
from posology.learners.network.policy import Decoding, NetworkPolicy
from posology.learners.network.task_heads import (
    init_heads_at_rates,
    initial_biases,
    shrink_heads,
    with_progression_error,
)
from posology.learners.network.tensors import (
    cohort_to_tensors,
    ensemble_losses,
    gather_subjects,
    optional_columns,
)
from posology.learners.network.training_loop import Training, train_epochs
from posology.nn.encoders import EncoderName
from posology.nn.heads import TaskCounts
from posology.nn.network import Network, NetworkConfig
from posology.nn.treatment_history import TreatmentCodes


@dataclass(frozen=True, slots=True)
class Sizes:
    """The part of `NetworkConfig` that does not depend on the cohort."""

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


@dataclass(frozen=True, slots=True)
class Supervised:
    """Learner of the supervised phase; `losses.supervised` lists its losses."""

    sizes: Sizes = field(default_factory=Sizes)
    training: Training = field(default_factory=Training)
    device: str = "cpu"
    prior: float = 300.0
    """Penalty on the differences between treatments: that of a ridge regression on standardised
    numbers, against a sum over decisions."""

    def fit(self, train: Cohort, validation: Cohort) -> NetworkPolicy:
        """Return the policy of the epoch with the best validation score."""
        return run_to_end(self.fit_epochs(train, validation))

    def fit_epochs(
        self,
        train: Cohort,
        validation: Cohort,
        folder: Path | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> Generator[Epoch, None, NetworkPolicy]:
        """Yield each epoch; the generator's return value is the policy.

        folder: where an interrupted run resumes; start: initial weights.
        """
        device = torch.device(self.device)
        decoding = fit_decoding(train)
        network = build_network(self.sizes, train, self.training.seed).to(device)
        network.load_state_dict({**network.state_dict(), **(start or {})})
        if self.training.compile_trunk and device.type == "cuda":
            network.trunk.compile()
        learn = cohort_to_tensors(train, decoding, network.config, device)
        init_heads_at_rates(network, learn.targets)
        check = cohort_to_tensors(validation, decoding, network.config, device)
        fit_additive_head(network, learn, check)
        biases = initial_biases(network)

        model = distribute(network)
        known = max(int((train.outcome_observed & (train.treatment >= 0)).sum()), 1)

        def loss(subjects: Tensor) -> dict[str, Tensor]:
            batch, targets = gather_subjects(learn, subjects)
            output = model(batch, targets.log_dose, with_value=False)
            parts = losses.supervised(output, targets)
            if network.curves is not None:
                parts["prior"] = network.curves.squared_norm() * (self.prior / known)
            return parts

        def validate() -> dict[str, float]:
            return ensemble_losses(network, check)

        run = RunFolder(folder) if folder else None
        yield from train_epochs(network, learn.steps, loss, validate, self.training, run)
        shrink_heads(network, biases, check)
        if network.curves is not None:
            solve_effects(network, learn)
        decoding = with_progression_error(decoding, network.eval(), check)
        return NetworkPolicy(train.study.formulary, train.profile, network, decoding)


def run_to_end(epochs: Generator[Epoch, None, NetworkPolicy]) -> NetworkPolicy:
    """Exhaust the generator of epochs and return its policy."""
    while True:
        try:
            next(epochs)
        except StopIteration as end:
            return end.value


def fit_decoding(train: Cohort) -> Decoding:
    """Return the dose levels and the scales of doses, target distances and progressions."""
    levels = modelled_dose_levels(train)
    # Doses of different drugs have no common scale.
    root = np.sqrt(_known(train.dose)) if not levels else np.empty(0)
    distance = _known(np.empty(0) if train.target_distance is None else train.target_distance)
    progression = [_known(column) for column in optional_columns(train.progression, len(train)).T]
    return Decoding(
        dose_center=float(root.mean()) if len(root) else 0.0,
        dose_spread=float(root.std()) or 1.0 if len(root) else 1.0,
        target_distance_center=float(distance.mean()) if len(distance) else 0.0,
        target_distance_spread=float(distance.std()) or 1.0 if len(distance) else 1.0,
        dose_levels=levels,
        progression_center=tuple(float(c.mean()) if len(c) else 0.0 for c in progression),
        progression_spread=tuple((float(c.std()) or 1.0) if len(c) else 1.0 for c in progression),
    )


def _known(column: np.ndarray) -> np.ndarray:
    return column[~np.isnan(column)].astype(np.float64)


def _treatment_codes(cohort: Cohort) -> TreatmentCodes:
    """Rows of the vocabulary that record the study's treatments, its outcome and its stops."""
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
    """Return a new network for the cohort's vocabulary, treatments and tasks."""
    levels = modelled_dose_levels(cohort)
    tasks = (
        optional_columns(columns, len(cohort)).shape[1]
        for columns in (cohort.diagnosis, cohort.progression, cohort.event_time)
    )
    config = NetworkConfig(
        codes=len(cohort.profile.codes),
        treatments=len(cohort.study.formulary.treatments),
        exclusive=bool((cohort.best_treatment >= 0).any()),
        tasks=TaskCounts(*tasks, intervals=INTERVALS),
        dose_levels=levels,
        treatment_codes=_treatment_codes(cohort) if levels else TreatmentCodes(),
        image_size=_image_size(cohort),
        **asdict(sizes),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(config)
    if network.events.images is not None and cohort.history.images is not None:
        network.events.images.standardize(shown_images(cohort.history.images).frames)
    return network


def _image_size(cohort: Cohort) -> int:
    """Rows of the images of a study that reads them; 0 of one that does not."""
    if not cohort.study.profile.images:
        return 0
    if cohort.history.images is None:
        raise UserError(
            f"study {cohort.study.name}: [profile] images = true, and this cohort has no images; "
            "build it again from the folder of events that `posology ingest` wrote."
        )
    return cohort.history.images.frames.shape[1]
