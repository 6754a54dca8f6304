"""Learning from every step of every training patient what the next step will hold."""

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
from posology.domain.condense import condense
from posology.domain.profile import Profile
from posology.errors import UserError
from posology.learners.network.checkpoint import Epoch, RunFolder
from posology.learners.network.supervised import Sizes, build_network
from posology.learners.network.training_loop import Training, train_epochs
from posology.nn.batch import HistoryTensors, gather_batch, history_to_tensors
from posology.nn.network import Network
from posology.nn.ragged import ragged_range

SHARED = ("events.", "encoder.", "attention.", "trunk.")
"""Parts of the network that are handed on; heads are the study's own."""


@dataclass(frozen=True, slots=True)
class Pretraining:
    """Which codes the next step has (cross-entropy), and the numbers it brings (squared error)."""

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
        """Epoch by epoch; the generator's return value is the network, for `shared_weights`.

        Every step but a patient's last is learned from, whether or not a decision stands there.
        folder: where a run that was killed goes on.
        """
        device = torch.device(self.device)
        network = build_network(self.sizes, train, self.training.seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.training.seed)
            asked = _NextStep(network, len(train.profile.codes)).to(device)
        learn, check = (_steps(c, network, device) for c in (train, validation))

        def loss(rows: Tensor) -> dict[str, Tensor]:
            return asked(learn, rows)

        def validate() -> dict[str, float]:
            told = _over(asked, check)
            return {**told, "score": sum(told.values())}

        kept = RunFolder(folder) if folder else None
        yield from train_epochs(asked, learn.counts, loss, validate, self.training, kept)
        return network


def shared_weights(network: Network) -> dict[str, Tensor]:
    """What a network hands on to one that asks other questions of the same vocabulary."""
    weights = network.state_dict()
    return {name: w.clone() for name, w in weights.items() if name.startswith(SHARED)}


def save_pretrained(network: Network, sizes: Sizes, profile: Profile, path: Path) -> None:
    """Write a file that `posology fit --start` takes."""
    about = {"sizes": json.dumps(asdict(sizes)), "codes": json.dumps(profile.codes)}
    save_file({k: w.cpu().contiguous() for k, w in shared_weights(network).items()}, path, about)


def load_pretrained(path: Path, sizes: Sizes, profile: Profile) -> dict[str, Tensor]:
    """The weights of a file; UserError where they are another network's or vocabulary's."""
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(f"--start {path}: cannot be read ({error}).") from error
    if tuple(json.loads(about.get("codes", "[]"))) != profile.codes:
        raise UserError(
            f"--start {path}: was learned on another vocabulary; pretrain on this cohort."
        )
    other, mine = json.loads(about["sizes"]), asdict(sizes)
    apart = sorted(k for k in mine if k not in ("dropout", "event_dropout") and mine[k] != other[k])
    if apart:
        raise UserError(
            f"--start {path}: has other sizes than the recipe ({', '.join(apart)}); pretrain with "
            "the same --recipe."
        )
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    source: HistoryTensors
    offsets: Tensor
    """First step of each subject, one row more than subjects."""
    counts: np.ndarray
    """Steps of each subject that have a next one."""
    device: torch.device


class _NextStep(nn.Module):
    def __init__(self, network: Network, codes: int) -> None:
        super().__init__()
        self.network, self.codes = network, codes
        self.head = nn.Linear(network.config.hidden, 2 * codes)

    def forward(self, steps: _Steps, subjects: Tensor) -> dict[str, Tensor]:
        subjects = subjects.to(steps.device)
        first = steps.offsets[subjects]
        count = steps.offsets[subjects + 1] - first - 1
        step = ragged_range(first, count)
        batch = gather_batch(steps.source, torch.repeat_interleave(subjects, count), step)
        hidden = self.network.trunk(self.network.encode(batch)[0]).mean(1)
        logits, numbers = self.head(hidden).split(self.codes, 1)
        starts = steps.source.event_offsets[step + 1]
        events = steps.source.event_offsets[step + 2] - starts
        event = ragged_range(starts, events)
        owner = torch.repeat_interleave(torch.arange(len(step), device=steps.device), events)
        code, value = steps.source.code[event], steps.source.value[event]
        there = torch.zeros_like(logits).index_put((owner, code), logits.new_ones(()))
        known = ~value.isnan()
        off = numbers[owner[known], code[known]] - value[known]
        missed = F.binary_cross_entropy_with_logits(logits, there, reduction="none")
        return {
            # Summed over codes, as of a mean the many that hardly ever come would be the most; a
            # tenth of it is of the order of the numbers' part.
            "codes": missed.sum(1).mean() / 10,
            "numbers": off.clamp(-5, 5).square().mean() if len(off) else numbers.sum() * 0.0,
        }


def _steps(cohort: Cohort, network: Network, device: torch.device) -> _Steps:
    history = cohort.history
    config = network.config
    last = history.step_offsets[1:] - 1
    long = condense(history, last[np.diff(history.step_offsets) > 0], config.last_steps).history
    counts = np.diff(long.step_offsets)
    return _Steps(
        history_to_tensors(long, cohort.profile, device, config.tracks_codes),
        torch.as_tensor(long.step_offsets, device=device),
        counts - 1,
        device,
    )


def _over(asked: _NextStep, steps: _Steps) -> dict[str, float]:
    rows = torch.arange(len(steps.counts))[torch.from_numpy(steps.counts > 0)]
    sums: dict[str, float] = {}
    for part in torch.split(rows, 64):
        for name, value in asked(steps, part).items():
            sums[name] = sums.get(name, 0.0) + float(value) * len(part)
    return {name: value / max(len(rows), 1) for name, value in sums.items()}
