"""Training methods of `benchmarks.training`.

Each returns a function that trains one epoch and returns its number of decisions.
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from posology.domain.history import History, offsets_from_counts
from posology.domain.profile import Profile
from posology.learners.network import losses
from posology.learners.network.checkpoint import Epoch
from posology.learners.network.policy import step_costs
from posology.learners.network.tensors import CohortTensors, gather_subjects
from posology.learners.network.training_loop import Training, train_epochs
from posology.nn.batch import HistoryTensors, gather_batch, history_to_tensors, split_by_budget
from posology.nn.encoders import EncoderName
from posology.nn.event_embedding import KNOTS
from posology.nn.network import Network, NetworkConfig

CODES, EVENTS, OPTIONS, SIZE = 1000, 8, 10, 128
CPU = torch.device("cpu")
SIZES = {"width": SIZE, "state": SIZE, "hidden": SIZE, "layers": 1, "dropout": 0.0}
TRAINING = Training(batch=256, epochs=10**6, patience=0, batch_steps=16_384)

Method = Callable[[History], Callable[[], int]]


def random_history(patients: int, visits: float) -> History:
    """A history with a Poisson number of visits, at least one, of 8 events, half with a value."""
    rng = np.random.default_rng(0)
    steps = 1 + rng.poisson(visits - 1, patients).astype(np.int64)
    total = int(steps.sum())
    value = rng.normal(size=total * EVENTS).astype(np.float32)
    value[rng.random(len(value)) < 0.5] = np.nan
    bounds = offsets_from_counts(steps)
    days = np.cumsum(rng.exponential(30, total))
    return History(
        code=rng.integers(0, CODES, total * EVENTS).astype(np.int32),
        value=value,
        event_offsets=offsets_from_counts(np.full(total, EVENTS, np.int64)),
        time=days - np.repeat(days[bounds[:-1]], steps),
        step_offsets=bounds,
        subject_id=np.arange(patients, dtype=np.int64),
    )


def load_history(
    history: History, codes: int = CODES, device: torch.device = CPU
) -> tuple[HistoryTensors, Tensor]:
    """The history as tensors, and each subject's last step."""
    profile = Profile(
        tuple(f"C//{i}" for i in range(codes)),
        np.zeros(codes, np.float32),
        np.ones(codes, np.float32),
    )
    source = history_to_tensors(history, profile, device)
    return source, torch.as_tensor(history.step_offsets[1:] - 1, device=device)


def gather_all(source: HistoryTensors, last: Tensor) -> None:
    """Gather every subject once, in random batches."""
    order = torch.from_numpy(np.random.default_rng(1).permutation(len(last)))
    for rows in torch.split(order, TRAINING.batch):
        gather_batch(source, rows, last[rows])


def posology(history: History, members: int = 1, encoder: EncoderName = "gru") -> Callable[[], int]:
    """The package: decisions at every step of a patient in one pass."""
    config = NetworkConfig(
        CODES, OPTIONS, exclusive=True, members=members, encoder=encoder, **SIZES
    )
    return train_package(history, config, random_targets(len(history.time)))


def train_package(
    history: History,
    config: NetworkConfig,
    known: dict[str, Tensor],
    training: Training = TRAINING,
) -> Callable[[], int]:
    """The package's training loop with a decision at every step; known: targets by name."""
    cohort = make_cohort(history, config, known, CPU)
    run = iterate_epochs(cohort, new_network(config), training)

    def epoch() -> int:
        next(run)
        return len(history.time)

    return epoch


def make_cohort(
    history: History, config: NetworkConfig, known: dict[str, Tensor], device: torch.device
) -> CohortTensors:
    """A cohort with a decision at every step, its arrays on the device."""
    source, _ = load_history(history, config.codes, device)
    total = len(history.time)
    subject = np.repeat(np.arange(len(history.subject_id)), np.diff(history.step_offsets))
    targets = {**_unknown_targets(total, config.treatments), **known}
    return CohortTensors(
        source=source,
        targets=losses.Targets(**{name: t.to(device) for name, t in targets.items()}),
        subject=torch.from_numpy(subject).to(device),
        last_step=torch.arange(total, device=device),
        offsets=torch.from_numpy(history.step_offsets).to(device),
        steps=np.add.reduceat(step_costs(history, np.arange(total)), history.step_offsets[:-1]),
        device=device,
    )


def new_network(config: NetworkConfig) -> Network:
    """A network with the same weights each time."""
    torch.manual_seed(0)
    return Network(config)


def iterate_epochs(cohort: CohortTensors, network: Network, training: Training) -> Iterator[Epoch]:
    """The epochs of the package's loop, without validation."""

    def loss(subjects: Tensor) -> dict[str, Tensor]:
        batch, targets = gather_subjects(cohort, subjects)
        return losses.supervised(network(batch, with_value=False), targets)

    return train_epochs(network, cohort.steps, loss, lambda: {"score": 0.0}, training)


def _unknown_targets(total: int, options: int) -> dict[str, Tensor]:
    unknown, empty = torch.full((total,), torch.nan), torch.zeros(total, 0)
    none = torch.full((total,), -1)
    return {
        "best": none,
        "treatment": none,
        "effective": unknown,
        "dose": unknown,
        "target_distance": unknown,
        "rewards": torch.full((total, options), torch.nan),
        "log_dose": torch.zeros(total, options),
        "has_next": torch.zeros(total, dtype=torch.bool),
        "diagnosis": empty,
        "progression": empty,
        "diagnosis_weight": empty,
        "weight": torch.ones(total),
        "reward_weight": torch.ones(total),
        "allowed": torch.ones(total, options, dtype=torch.bool),
        "is_truncated": torch.zeros(total, dtype=torch.bool),
        "intervals_survived": torch.zeros(total, 0),
        "event_observed": torch.zeros(total, 0, dtype=torch.bool),
    }


def posology_ensemble(history: History) -> Callable[[], int]:
    """The package with 32 members."""
    return posology(history, members=32)


class Bare(nn.Module):
    """The same functions and sizes with one member, on padded blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ParameterList(torch.randn(CODES, SIZE) * 0.1 for _ in range(5))
        self.gap = nn.Linear(2, SIZE)
        self.cell = nn.GRU(SIZE, SIZE, batch_first=True)
        self.query = nn.Linear(SIZE, SIZE, bias=False)
        self.key = nn.Linear(SIZE, SIZE, bias=False)
        self.trunk = nn.Linear(4 * SIZE, SIZE)
        self.heads = nn.Linear(SIZE, 2 * OPTIONS + 1)

    def forward(self, block: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Step vectors and states of a padded block."""
        flat, value = block["code"].flatten(0, 1), block["value"].flatten(0, 1)
        known = block["known"].flatten(0, 1)
        weights = [known, value, *(torch.relu(value - k) * (value != 0) for k in KNOTS)]
        x = sum(
            F.embedding_bag(flat, table, mode="sum", per_sample_weights=weight)
            for table, weight in zip(self.tables, weights, strict=True)
        )
        x = x.view(*block["code"].shape[:2], -1) + self.gap(block["gap"])
        return x, self.cell(x)[0]

    def at_every_step(self, block: dict[str, Tensor]) -> Tensor:
        """Outputs at every step that is not padding."""
        x, states = self(block)
        longest = x.shape[1]
        score = self.query(states) @ self.key(states).transpose(1, 2) / SIZE**0.5
        later = torch.ones(longest, longest, dtype=torch.bool, device=x.device).triu(1)
        context = torch.softmax(score.masked_fill(later, -torch.inf), 2) @ states
        z = torch.cat([x[:, :1].expand_as(x), x, states, context], 2)[block["real"]]
        return self.heads(torch.relu(self.trunk(z)))

    def at_last_step(self, block: dict[str, Tensor]) -> Tensor:
        """Outputs at the last step of each row."""
        x, states = self(block)
        row = torch.arange(len(x))
        end = block["real"].sum(1) - 1
        query = self.query(states[row, end])
        score = (self.key(states) @ query[:, :, None])[..., 0] / SIZE**0.5
        weight = torch.softmax(score.masked_fill(~block["real"], -torch.inf), 1)
        context = (weight[:, None] @ states)[:, 0]
        z = torch.cat([x[:, 0], x[row, end], states[row, end], context], 1)
        return self.heads(torch.relu(self.trunk(z)))


def floor(
    history: History, device: torch.device = CPU, training: Training = TRAINING
) -> Callable[[], int]:
    """Bare tensors: blocks of patients of similar length, padded once."""
    order = np.argsort(np.diff(history.step_offsets), kind="stable")
    steps = np.diff(history.step_offsets)[order]
    known = random_targets(len(history.time))
    blocks = []
    for run in split_by_budget(steps, training.batch, training.batch_steps):
        subjects = order[run]
        rows = np.concatenate([np.arange(*history.step_offsets[i : i + 2]) for i in subjects])
        block = _pad(history, [(i, int(history.step_offsets[i + 1])) for i in subjects])
        targets = {name: t[torch.from_numpy(rows)] for name, t in known.items()}
        blocks.append(tuple({k: t.to(device) for k, t in d.items()} for d in (block, targets)))
    network, optimizer = _new_bare(device)

    def epoch() -> int:
        for number in np.random.default_rng(0).permutation(len(blocks)):
            block, targets = blocks[number]
            _train_step(network, optimizer, network.at_every_step(block), targets)
        return len(history.time)

    return epoch


def per_visit(history: History) -> Callable[[], int]:
    """One sample per visit: its whole history as lists, padded per batch."""
    samples = []
    for subject in range(len(history.subject_id)):
        first, end = (int(s) for s in history.step_offsets[subject : subject + 2])
        events = [slice(s * EVENTS, (s + 1) * EVENTS) for s in range(first, end)]
        visits = [(history.code[e].tolist(), history.value[e].tolist()) for e in events]
        samples += [(list(visits[: n + 1]), first + n) for n in range(end - first)]
    known = random_targets(len(history.time))
    loader = DataLoader(
        samples,  # type: ignore[arg-type]
        batch_size=TRAINING.batch,
        shuffle=True,
        collate_fn=lambda chosen: _collate(chosen, known),
    )
    network, optimizer = _new_bare()

    def batches() -> Iterator[tuple[dict, dict]]:
        while True:
            yield from loader

    endless = batches()

    def some() -> int:  # part of an epoch, which may take minutes
        done = 0
        for block, known in itertools.islice(endless, 4):
            _train_step(network, optimizer, network.at_last_step(block), known)
            done += len(known["best"])
        return done

    return some


def _new_bare(device: torch.device = CPU) -> tuple[Bare, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = Bare().to(device)
    return network, torch.optim.AdamW(
        network.parameters(), TRAINING.learning_rate, weight_decay=0, fused=True
    )


def _train_step(
    network: Bare, optimizer: torch.optim.Optimizer, output: Tensor, known: dict[str, Tensor]
) -> None:
    loss = F.cross_entropy(output[:, :OPTIONS], known["best"])
    loss = loss + F.cross_entropy(output[:, OPTIONS:-1], known["treatment"])
    loss = loss + (output[:, -1] - known["dose"]).abs().mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), TRAINING.clip)
    optimizer.step()


def random_targets(total: int) -> dict[str, Tensor]:
    """Random best treatment, treatment received and dose of every decision."""
    rng = np.random.default_rng(2)
    return {
        "best": torch.from_numpy(rng.integers(0, OPTIONS, total)),
        "treatment": torch.from_numpy(rng.integers(0, OPTIONS, total)),
        "dose": torch.from_numpy(rng.normal(size=total).astype(np.float32)),
    }


def _pad(history: History, upto: list[tuple[int, int]]) -> dict[str, Tensor]:
    starts = [int(history.step_offsets[i]) for i, _ in upto]
    longest = max(end - start for start, (_, end) in zip(starts, upto, strict=True))
    block = _empty_block(len(upto), longest)
    for row, (start, (_, end)) in enumerate(zip(starts, upto, strict=True)):
        part = slice(start * EVENTS, end * EVENTS)
        block["code"][row, : end - start] = torch.from_numpy(
            history.code[part].astype(np.int64)
        ).view(-1, EVENTS)
        block["value"][row, : end - start] = torch.from_numpy(
            np.nan_to_num(history.value[part])
        ).view(-1, EVENTS)
        block["known"][row, : end - start] = 1.0
        block["real"][row, : end - start] = True
    return block


def _collate(chosen: list, known: dict[str, Tensor]) -> tuple[dict, dict]:
    longest = max(len(visits) for visits, _ in chosen)
    block = _empty_block(len(chosen), longest)
    for row, (visits, _) in enumerate(chosen):
        block["code"][row, : len(visits)] = torch.tensor([codes for codes, _ in visits])
        block["value"][row, : len(visits)] = torch.nan_to_num(
            torch.tensor([values for _, values in visits])
        )
        block["known"][row, : len(visits)] = 1.0
        block["real"][row, : len(visits)] = True
    step = torch.tensor([step for _, step in chosen])
    return block, {name: t[step] for name, t in known.items()}


def _empty_block(rows: int, longest: int) -> dict[str, Tensor]:
    return {
        "code": torch.zeros(rows, longest, EVENTS, dtype=torch.long),
        "value": torch.zeros(rows, longest, EVENTS),
        "known": torch.zeros(rows, longest, EVENTS),
        "gap": torch.zeros(rows, longest, 2),
        "real": torch.zeros(rows, longest, dtype=torch.bool),
    }


METHODS: dict[str, Method] = {
    "posology": posology,
    "posology_ensemble": posology_ensemble,
    "floor": floor,
    "per_visit": per_visit,
}
