"""The training loop: a generator of epochs, independent of the domain."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor, nn

from posology.learners.network.checkpoint import Epoch, RunFolder, RunState, resume, save_state
from posology.learners.network.distributed import local_rows
from posology.nn.batch import split_by_budget

WARM_UP = 20
"""Batches over which the learning rate rises where it follows a cosine."""


@dataclass(frozen=True, slots=True)
class Training:
    """Settings of the optimiser and of the loop."""

    learning_rate: float = 1e-3
    cosine: bool = False
    """Whether the rate falls to 0 along half a cosine after a warm-up."""
    weight_decay: float = 0.0
    batch: int = 256
    """Subjects per batch."""
    epochs: int = 100
    patience: int = 16
    """Epochs without a better validation score before stopping; 0 never stops early."""
    keep_initial: bool = False
    """Whether the initial weights count as a candidate for the best epoch."""
    clip: float = 1.0
    """Largest norm of the gradient; 0 does not clip."""
    seed: int = 0
    batch_steps: int = 8_192
    """Largest number of history steps per batch, which bounds the memory; a subject with more is a
    batch of its own."""
    mixed_precision: bool = False
    """Whether a GPU multiplies in bfloat16."""
    compile_trunk: bool = False
    """Whether a GPU runs the network's trunk compiled."""
    deterministic: bool = False
    """Whether operations that may differ between runs raise an error."""


def train_epochs(
    network: nn.Module,
    steps: Int64[np.ndarray, " subject"],
    loss: Callable[[Tensor], dict[str, Tensor]],
    validate: Callable[[], dict[str, float]],
    training: Training,
    run: RunFolder | None = None,
) -> Iterator[Epoch]:
    """Train in place and yield each epoch; at the end the network has the best epoch's weights.

    steps: number of steps of each subject. loss: rows of subjects to the named parts of the loss,
    always the same names, whose sum is minimised. run: a folder where an interrupted run resumes;
    its finished epochs are yielded first. UserError if the folder has another run.
    """
    rng = np.random.default_rng(training.seed)
    optimizer = torch.optim.AdamW(
        [p for p in network.parameters() if p.requires_grad],
        lr=training.learning_rate,
        weight_decay=training.weight_decay,
        fused=True,
    )
    state = RunState(network, optimizer, rng, _copy_weights(network))
    settings = {**asdict(training), "subjects": len(steps)}
    finished = resume(run, state, settings) if run else []
    yield from finished
    if training.keep_initial and not finished:
        network.eval()
        with torch.no_grad():
            state.best_score = validate()["score"]
    since_best = next((i for i, e in enumerate(reversed(finished)) if e.is_best), len(finished))
    for number in range(len(finished) + 1, training.epochs + 1):
        if training.patience and since_best >= training.patience:
            break
        started = time.perf_counter()
        seed = training.seed * 100_003 + number
        with _torch_seed(network, seed), _deterministic(training.deterministic):
            parts = _train_epoch(state, steps, loss, training)
        network.eval()
        with torch.no_grad():
            validation = validate()
        is_best = validation["score"] < state.best_score
        since_best = 0 if is_best else since_best + 1
        if is_best:
            state.best, state.best_score = _copy_weights(network), validation["score"]
        seconds = time.perf_counter() - started
        epoch = Epoch(number, parts, validation, seconds, is_best, float(steps.sum()) / seconds)
        if run:
            save_state(run, state, settings, epoch)
        yield epoch
    if training.patience:
        network.load_state_dict(state.best)


def _train_epoch(
    state: RunState,
    steps: Int64[np.ndarray, " subject"],
    loss: Callable[[Tensor], dict[str, Tensor]],
    training: Training,
) -> dict[str, float]:
    """One pass over the subjects in random order; the mean of each part of the loss."""
    state.network.train()
    order = state.rng.permutation(len(steps))
    total = training.epochs * _batches_per_epoch(steps, training)
    parameters = state.optimizer.param_groups[0]["params"]
    sums: Tensor | float = 0.0
    names: tuple[str, ...] = ()
    runs = split_by_budget(steps[order], training.batch, training.batch_steps)
    for run in runs:
        factor = _rate_factor(state.batches, total, training.cosine)
        state.optimizer.param_groups[0]["lr"] = training.learning_rate * factor
        rows, share = local_rows(order[run])
        mixed = training.mixed_precision and parameters[0].device.type == "cuda"
        with torch.autocast("cuda", torch.bfloat16) if mixed else nullcontext():
            parts = loss(torch.from_numpy(rows))
        for parameter in parameters:  # zero_grad without its bookkeeping
            parameter.grad = None
        values = torch.stack(list(parts.values()))
        (values.sum() * share).backward()
        if training.clip:
            _clip_gradient(parameters, training.clip)
        state.optimizer.step()
        state.batches += 1
        sums, names = sums + values.detach().double(), tuple(parts)
    means = torch.as_tensor(sums / max(len(runs), 1)).tolist()
    return dict(zip(names, means, strict=True)) if names else {}


def _clip_gradient(parameters: list[nn.Parameter], max_norm: float) -> None:
    """As nn.utils.clip_grad_norm_; a CPU, which need not wait for the norm, skips small ones."""
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if norm.device.type != "cpu" or not float(norm) < max_norm:
        nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)


def _batches_per_epoch(steps: Int64[np.ndarray, " subject"], training: Training) -> int:
    """Approximate number of batches per epoch."""
    by_steps = -(-int(steps.sum()) // training.batch_steps)
    return max(-(-len(steps) // training.batch), by_steps)


def _rate_factor(batch: int, total: int, cosine: bool) -> float:
    if not cosine:
        return 1.0
    progress = min(batch / total, 1.0)
    return min(1.0, (batch + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))


@contextmanager
def _deterministic(strict: bool) -> Generator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or strict)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def _torch_seed(network: nn.Module, seed: int) -> Generator[None]:
    """Seed torch's global generator, which dropout uses, and restore it afterwards."""
    device = next(network.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _copy_weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
