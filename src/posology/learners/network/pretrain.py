"""Pretraining: predict each next step of every training patient."""

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from posology.domain.cohort import Cohort
from posology.domain.condense import condense_histories
from posology.domain.profile import Profile
from posology.errors import UserError
from posology.learners.network.checkpoint import Epoch, RunFolder
from posology.learners.network.supervised import Sizes, build_network
from posology.learners.network.training_loop import Training, train_epochs
from posology.nn.batch import HistoryTensors, gather_batch, history_to_tensors
from posology.nn.network import Network
from posology.nn.ragged import ragged_range
from posology.records.io.drafts import draft_file

SHARED = ("events.", "encoder.", "attention.", "trunk.")
"""Parts of the network that are reused; the heads depend on the study."""


@dataclass(frozen=True, slots=True)
class Pretraining:
    """Predict the codes of the next step (cross-entropy) and its values (squared error)."""

    sizes: Sizes = field(default_factory=Sizes)
    training: Training = field(
        default_factory=lambda: Training(
            3e-3, cosine=True, weight_decay=0.1, batch=64, epochs=5, patience=0, clip=0.0
        )
    )
    device: str = "cpu"

    def fit_epochs(
        self, train: Cohort, validation: Cohort, folder: Path | None = None
    ) -> Generator[Epoch, None, Network]:
        """Yield each epoch; the generator's return value is the network, for `shared_weights`.

        Every step but a patient's last one is a training example, with or without a decision.
        folder: where an interrupted run resumes.
        """
        device = torch.device(self.device)
        network = build_network(self.sizes, train, self.training.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.training.seed)
            model = _NextStepLoss(network, len(train.profile.codes)).to(device)
        learn, check = (_step_data(c, network, device) for c in (train, validation))
        if not (learn.counts > 0).any():
            raise UserError(
                "No training patient has two dated steps, and pretraining learns from each next "
                "step; train without --start."
            )

        def loss(rows: Tensor) -> dict[str, Tensor]:
            return model(learn, rows)

        def validate() -> dict[str, float]:
            losses = _mean_losses(model, check)
            return {**losses, "score": sum(losses.values())}

        run = RunFolder(folder) if folder else None
        yield from train_epochs(model, learn.counts, loss, validate, self.training, run)
        return network


def shared_weights(network: Network) -> dict[str, Tensor]:
    """Return copies of the weights that a network of another study can start from."""
    weights = network.state_dict()
    return {name: w.clone() for name, w in weights.items() if name.startswith(SHARED)}


def save_pretrained(network: Network, sizes: Sizes, profile: Profile, path: Path) -> None:
    """Write the shared weights to a file for `posology fit --start`."""
    about = {"sizes": json.dumps(asdict(sizes)), "codes": json.dumps(profile.codes)}
    weights = {k: w.cpu().contiguous() for k, w in shared_weights(network).items()}
    with draft_file(path) as draft:
        save_file(weights, draft, about)


def load_pretrained(path: Path, sizes: Sizes, profile: Profile) -> dict[str, Tensor]:
    """Read the weights of a file; UserError if its network or vocabulary is another."""
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"--start {path}: cannot be read ({error}).") from error
    if tuple(json.loads(about.get("codes", "[]"))) != profile.codes:
        raise UserError(
            f"--start {path}: was pretrained on another vocabulary; pretrain on this cohort."
        )
    saved, expected = json.loads(about["sizes"]), asdict(sizes)
    free = ("dropout", "event_dropout")
    other = sorted(k for k in expected if k not in free and expected[k] != saved.get(k))
    if other:
        raise UserError(
            f"--start {path}: has other sizes than the recipe ({', '.join(other)}); pretrain with "
            "the same --recipe."
        )
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class _StepData:
    source: HistoryTensors
    offsets: Tensor
    """First step of each subject, and the number of steps."""
    counts: np.ndarray
    """Number of steps of each subject that have a next step."""
    device: torch.device


class _NextStepLoss(nn.Module):
    def __init__(self, network: Network, codes: int) -> None:
        super().__init__()
        self.network, self.codes = network, codes
        self.head = nn.Linear(network.config.hidden, 2 * codes)

    def forward(self, data: _StepData, subjects: Tensor) -> dict[str, Tensor]:
        subjects = subjects.to(data.device)
        first = data.offsets[subjects]
        count = data.offsets[subjects + 1] - first - 1
        step = ragged_range(first, count)
        batch = gather_batch(data.source, torch.repeat_interleave(subjects, count), step)
        hidden = self.network.trunk(self.network.encode(batch)[0]).mean(1)
        logits, values = self.head(hidden).split(self.codes, 1)
        starts = data.source.event_offsets[step + 1]
        events = data.source.event_offsets[step + 2] - starts
        event = ragged_range(starts, events)
        row = torch.repeat_interleave(torch.arange(len(step), device=data.device), events)
        code, value = data.source.code[event], data.source.value[event]
        present = torch.zeros_like(logits).index_put((row, code), logits.new_ones(()))
        known = ~value.isnan()
        error = values[row[known], code[known]] - value[known]
        loss = F.binary_cross_entropy_with_logits(logits, present, reduction="none")
        return {
            # A sum over codes: in a mean, the many rare codes would dominate. A tenth of it has the
            # order of magnitude of the values' loss.
            "codes": loss.sum(1).mean() / 10,
            "numbers": error.clamp(-5, 5).square().mean() if len(error) else values.sum() * 0.0,
        }


def _step_data(cohort: Cohort, network: Network, device: torch.device) -> _StepData:
    history = cohort.history
    config = network.config
    last = history.step_offsets[1:] - 1
    short = condense_histories(
        history, last[np.diff(history.step_offsets) > 0], config.last_steps
    ).history
    return _StepData(
        history_to_tensors(short, cohort.profile, device, config.tracks_codes),
        torch.as_tensor(short.step_offsets, device=device),
        np.diff(short.step_offsets) - 1,
        device,
    )


def _mean_losses(model: _NextStepLoss, data: _StepData) -> dict[str, float]:
    rows = torch.arange(len(data.counts))[torch.from_numpy(data.counts > 0)]
    sums: dict[str, float] = {}
    for part in torch.split(rows, 64):
        for name, value in model(data, part).items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(part)
    return {name: value / max(len(rows), 1) for name, value in sums.items()}
