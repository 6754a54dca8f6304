"""The training loop: a generator of epochs that knows nothing of medicine."""

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


@dataclass(frozen=True, slots=True)
class Training:
    """How long and how fast to learn."""

    learning_rate: float = 1e-3
    cosine: bool = False
    """Whether the rate falls to 0 along half a cosine, after 20 batches of warming up."""
    weight_decay: float = 0.0
    batch: int = 256
    """Subjects a batch."""
    epochs: int = 100
    patience: int = 16
    """Epochs without a better validation score before stopping; 0 never stops."""
    keep_initial: bool = False
    """Whether the weights before the first epoch may be the ones kept."""
    clip: float = 1.0
    """Largest norm of the gradient; 0 leaves it."""
    seed: int = 0
    batch_steps: int = 8_192
    """Steps a batch, so that memory is bounded however long histories are; a subject with more
    stands alone."""
    mixed_precision: bool = False
    """Whether a GPU multiplies in bfloat16."""
    compile_trunk: bool = False
    """Whether a GPU runs the network's trunk compiled."""
    deterministic: bool = False
    """Whether operations that may differ from run to run are refused."""


def train_epochs(
    network: nn.Module,
    steps: Int64[np.ndarray, " subject"],
    loss: Callable[[Tensor], dict[str, Tensor]],
    validate: Callable[[], dict[str, float]],
    training: Training,
    run: RunFolder | None = None,
) -> Iterator[Epoch]:
    """Train in place; after the last epoch the network holds its best epoch's weights.

    steps: how many each subject has; loss takes rows of subjects and returns its parts, always the
    same ones, whose sum is descended. Where a folder is kept, a run that was killed goes on after
    its last whole epoch, told first, and ends as if it had not been; UserError where the folder is
    another run's.
    """
    rng = np.random.default_rng(training.seed)
    optimizer = torch.optim.AdamW(
        [p for p in network.parameters() if p.requires_grad],
        lr=training.learning_rate,
        weight_decay=training.weight_decay,
        fused=True,
    )
    state = RunState(network, optimizer, rng, _copy(network))
    settings = {**asdict(training), "subjects": len(steps)}
    told = resume(run, state, settings) if run else []
    yield from told
    if training.keep_initial and not told:
        network.eval()
        with torch.no_grad():
            state.best_score = validate()["score"]
    since = next((i for i, epoch in enumerate(reversed(told)) if epoch.is_best), len(told))
    for number in range(len(told) + 1, training.epochs + 1):
        if training.patience and since >= training.patience:
            break
        started = time.perf_counter()
        seed = training.seed * 100_003 + number
        with _own_randomness(network, seed), _repeatable(training.deterministic):
            parts = _pass(state, steps, loss, training)
        network.eval()
        with torch.no_grad():
            validation = validate()
        better = validation["score"] < state.best_score
        since = 0 if better else since + 1
        if better:
            state.best, state.best_score = _copy(network), validation["score"]
        seconds = time.perf_counter() - started
        epoch = Epoch(number, parts, validation, seconds, better, float(steps.sum()) / seconds)
        if run:
            save_state(run, state, settings, epoch)
        yield epoch
    if training.patience:
        network.load_state_dict(state.best)


def _pass(
    state: RunState,
    steps: Int64[np.ndarray, " subject"],
    loss: Callable[[Tensor], dict[str, Tensor]],
    training: Training,
) -> dict[str, float]:
    state.network.train()
    order = state.rng.permutation(len(steps))
    total = training.epochs * _batches(steps, training)
    parameters = state.optimizer.param_groups[0]["params"]
    sums: Tensor | float = 0.0
    names: tuple[str, ...] = ()
    runs = split_by_budget(steps[order], training.batch, training.batch_steps)
    for run in runs:
        state.optimizer.param_groups[0]["lr"] = training.learning_rate * _factor(
            state.batches, total, training.cosine
        )
        rows, share = local_rows(order[run])
        mixed = training.mixed_precision and parameters[0].device.type == "cuda"
        with torch.autocast("cuda", torch.bfloat16) if mixed else nullcontext():
            parts = loss(torch.from_numpy(rows))
        for parameter in parameters:  # what zero_grad does, without its bookkeeping
            parameter.grad = None
        told = torch.stack(list(parts.values()))
        (told.sum() * share).backward()
        if training.clip:
            _clip(parameters, training.clip)
        state.optimizer.step()
        state.batches += 1
        sums, names = sums + told.detach().double(), tuple(parts)
    means = torch.as_tensor(sums / max(len(runs), 1)).tolist()
    return dict(zip(names, means, strict=True)) if names else {}


def _clip(parameters: list[nn.Parameter], most: float) -> None:
    """nn.utils.clip_grad_norm_; a CPU, which need not wait to know, leaves small ones untouched."""
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    if norm.device.type != "cpu" or not float(norm) < most:
        nn.utils.clip_grads_with_norm_(parameters, most, norm)


def _batches(steps: Int64[np.ndarray, " subject"], training: Training) -> int:
    """About how many batches an epoch has."""
    by_steps = -(-int(steps.sum()) // training.batch_steps)
    return max(-(-len(steps) // training.batch), by_steps)


def _factor(batch: int, total: int, cosine: bool) -> float:
    if not cosine:
        return 1.0
    along = min(batch / total, 1.0)
    return min(1.0, (batch + 1) / 20) * 0.5 * (1 + math.cos(math.pi * along))


@contextmanager
def _repeatable(strict: bool) -> Generator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or strict)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def _own_randomness(network: nn.Module, seed: int) -> Generator[None]:
    """Dropout takes torch's global generator; lend it one seed an epoch and give it back."""
    device = next(network.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}
