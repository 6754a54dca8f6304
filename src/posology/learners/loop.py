"""The training loop: a generator of epochs that knows nothing of medicine."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Training:
    """How long and how fast to learn."""

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    batch: int = 256
    """Subjects a batch."""
    epochs: int = 100
    patience: int = 16
    """Epochs without a better validation score before stopping; 0 never stops."""
    clip: float = 1.0
    """Largest norm of the gradient; 0 leaves it."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training subjects."""

    number: int
    train: dict[str, float]
    validation: dict[str, float]
    """`score` decides which epoch is kept: lower is better."""
    seconds: float
    kept: bool
    """Whether this is the best epoch so far."""


def epochs(
    network: nn.Module,
    subjects: int,
    loss: Callable[[Tensor], dict[str, Tensor]],
    validate: Callable[[], dict[str, float]],
    training: Training,
) -> Iterator[Epoch]:
    """Train in place; after the last epoch the network holds its best epoch's weights.

    loss takes rows of subjects and returns its parts, whose sum is descended.
    """
    rng = np.random.default_rng(training.seed)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay
    )
    best, best_score, since = _copy(network), float("inf"), 0
    for number in range(1, training.epochs + 1):
        started = time.perf_counter()
        with _own_randomness(network, training.seed * 100_003 + number):
            parts = _pass(network, rng.permutation(subjects), loss, optimizer, training)
        network.eval()
        with torch.no_grad():
            validation = validate()
        kept = validation["score"] < best_score
        since = 0 if kept else since + 1
        if kept:
            best, best_score = _copy(network), validation["score"]
        yield Epoch(number, parts, validation, time.perf_counter() - started, kept)
        if training.patience and since >= training.patience:
            break
    if training.patience:
        network.load_state_dict(best)


def _pass(
    network: nn.Module,
    order: np.ndarray,
    loss: Callable[[Tensor], dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    training: Training,
) -> dict[str, float]:
    network.train()
    sums: dict[str, float] = {}
    starts = range(0, len(order), training.batch)
    for start in starts:
        parts = loss(torch.from_numpy(order[start : start + training.batch]))
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        if training.clip:
            nn.utils.clip_grad_norm_(network.parameters(), training.clip)
        optimizer.step()
        for name, part in parts.items():
            sums[name] = sums.get(name, 0.0) + float(part.detach())
    return {name: total / len(starts) for name, total in sums.items()}


@contextmanager
def _own_randomness(network: nn.Module, seed: int) -> Iterator[None]:
    """Dropout takes torch's global generator; lend it one seed an epoch and give it back."""
    device = next(network.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
