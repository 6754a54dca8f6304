"""The ways of `benchmarks.training`: each makes a function that trains one epoch and counts it."""

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

Way = Callable[[History], Callable[[], int]]


def made_up(patients: int, visits: float) -> History:
    """Patients of Poisson many visits, at least one; 8 events each, half of them with numbers."""
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


def prepared(
    history: History, codes: int = CODES, device: torch.device = CPU
) -> tuple[HistoryTensors, Tensor]:
    """The arrays to gather from and each subject's last step."""
    profile = Profile(
        tuple(f"C//{i}" for i in range(codes)),
        np.zeros(codes, np.float32),
        np.ones(codes, np.float32),
    )
    source = history_to_tensors(history, profile, device)
    return source, torch.as_tensor(history.step_offsets[1:] - 1, device=device)


def gathered(source: HistoryTensors, last: Tensor) -> None:
    """Every subject once, in random batches."""
    order = torch.from_numpy(np.random.default_rng(1).permutation(len(last)))
    for rows in torch.split(order, TRAINING.batch):
        gather_batch(source, rows, last[rows])


def posology(history: History, members: int = 1, encoder: EncoderName = "gru") -> Callable[[], int]:
    """The package: a decision at every step of a patient from one pass."""
    config = NetworkConfig(
        CODES, OPTIONS, exclusive=True, members=members, encoder=encoder, **SIZES
    )
    return trained(history, config, truth(len(history.time)))


def trained(
    history: History,
    config: NetworkConfig,
    known: dict[str, Tensor],
    training: Training = TRAINING,
) -> Callable[[], int]:
    """The package's loop on a decision at every step, of which some targets are known."""
    cohort = on_device(history, config, known, CPU)
    run = passes(cohort, built(config), training)

    def epoch() -> int:
        next(run)
        return len(history.time)

    return epoch


def on_device(
    history: History, config: NetworkConfig, known: dict[str, Tensor], device: torch.device
) -> CohortTensors:
    """A decision at every step, its arrays on the device."""
    source, _ = prepared(history, config.codes, device)
    total = len(history.time)
    subject = np.repeat(np.arange(len(history.subject_id)), np.diff(history.step_offsets))
    truth = {**_unknown(total, config.treatments), **known}
    return CohortTensors(
        source=source,
        targets=losses.Targets(**{name: t.to(device) for name, t in truth.items()}),
        subject=torch.from_numpy(subject).to(device),
        last_step=torch.arange(total, device=device),
        offsets=torch.from_numpy(history.step_offsets).to(device),
        steps=np.add.reduceat(step_costs(history, np.arange(total)), history.step_offsets[:-1]),
        device=device,
    )


def built(config: NetworkConfig) -> Network:
    """The network, the same each time."""
    torch.manual_seed(0)
    return Network(config)


def passes(cohort: CohortTensors, network: Network, training: Training) -> Iterator[Epoch]:
    """The package's epochs, without validation."""

    def loss(subjects: Tensor) -> dict[str, Tensor]:
        batch, targets = gather_subjects(cohort, subjects)
        return losses.supervised(network(batch, with_value=False), targets)

    return train_epochs(network, cohort.steps, loss, lambda: {"score": 0.0}, training)


def _unknown(total: int, options: int) -> dict[str, Tensor]:
    nobody, nothing = torch.full((total,), torch.nan), torch.zeros(total, 0)
    none = torch.full((total,), -1)
    return {
        "best": none,
        "treatment": none,
        "effective": nobody,
        "dose": nobody,
        "target_distance": nobody,
        "rewards": torch.full((total, options), torch.nan),
        "log_dose": torch.zeros(total, options),
        "has_next": torch.zeros(total, dtype=torch.bool),
        "diagnosis": nothing,
        "progression": nothing,
        "weight": torch.ones(total),
        "allowed": torch.ones(total, options, dtype=torch.bool),
        "is_truncated": torch.zeros(total, dtype=torch.bool),
        "intervals_survived": torch.zeros(total, 0, dtype=torch.long),
        "event_observed": torch.zeros(total, 0, dtype=torch.bool),
    }


def posology_ensemble(history: History) -> Callable[[], int]:
    """The package with its 32 members."""
    return posology(history, members=32)


class Bare(nn.Module):
    """The same functions of the same sizes with one member, on padded blocks, and nothing else."""

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
        """Steps and states of a padded block."""
        flat, value = block["code"].flatten(0, 1), block["value"].flatten(0, 1)
        known = block["known"].flatten(0, 1)
        weights = [known, value, *(torch.relu(value - k) * (value != 0) for k in KNOTS)]
        x = sum(
            F.embedding_bag(flat, table, mode="sum", per_sample_weights=weight)
            for table, weight in zip(self.tables, weights, strict=True)
        )
        x = x.view(*block["code"].shape[:2], -1) + self.gap(block["gap"])
        return x, self.cell(x)[0]

    def every(self, block: dict[str, Tensor]) -> Tensor:
        """Heads at every step that is not padding."""
        x, states = self(block)
        longest = x.shape[1]
        score = self.query(states) @ self.key(states).transpose(1, 2) / SIZE**0.5
        later = torch.ones(longest, longest, dtype=torch.bool, device=x.device).triu(1)
        context = torch.softmax(score.masked_fill(later, -torch.inf), 2) @ states
        z = torch.cat([x[:, :1].expand_as(x), x, states, context], 2)[block["real"]]
        return self.heads(torch.relu(self.trunk(z)))

    def last(self, block: dict[str, Tensor]) -> Tensor:
        """Heads at the last step of each row."""
        x, states = self(block)
        row = torch.arange(len(x))
        end = block["real"].sum(1) - 1
        asked = self.query(states[row, end])
        score = (self.key(states) @ asked[:, :, None])[..., 0] / SIZE**0.5
        weight = torch.softmax(score.masked_fill(~block["real"], -torch.inf), 1)
        context = (weight[:, None] @ states)[:, 0]
        z = torch.cat([x[:, 0], x[row, end], states[row, end], context], 1)
        return self.heads(torch.relu(self.trunk(z)))


def floor(
    history: History, device: torch.device = CPU, training: Training = TRAINING
) -> Callable[[], int]:
    """Bare tensors: blocks of patients of like length, padded once and for all."""
    order = np.argsort(np.diff(history.step_offsets), kind="stable")
    steps = np.diff(history.step_offsets)[order]
    known = truth(len(history.time))
    blocks = []
    for run in split_by_budget(steps, training.batch, training.batch_steps):
        subjects = order[run]
        rows = np.concatenate([np.arange(*history.step_offsets[i : i + 2]) for i in subjects])
        block = _padded(history, [(i, int(history.step_offsets[i + 1])) for i in subjects])
        mine = {name: t[torch.from_numpy(rows)] for name, t in known.items()}
        blocks.append(tuple({k: t.to(device) for k, t in d.items()} for d in (block, mine)))
    network, optimizer = _bare(device)

    def epoch() -> int:
        for number in np.random.default_rng(0).permutation(len(blocks)):
            block, mine = blocks[number]
            _step(network, optimizer, network.every(block), mine)
        return len(history.time)

    return epoch


def per_visit(history: History) -> Callable[[], int]:
    """One sample a visit: lists that hold the history again, padded as they are met."""
    samples = []
    for subject in range(len(history.subject_id)):
        first, end = (int(s) for s in history.step_offsets[subject : subject + 2])
        visits = [
            (history.code[s * EVENTS : (s + 1) * EVENTS].tolist(),
             history.value[s * EVENTS : (s + 1) * EVENTS].tolist())
            for s in range(first, end)
        ]  # fmt: skip
        samples += [(list(visits[: n + 1]), first + n) for n in range(end - first)]
    known = truth(len(history.time))
    loader = DataLoader(
        samples,  # type: ignore[arg-type]
        batch_size=TRAINING.batch,
        shuffle=True,
        collate_fn=lambda chosen: _collate(chosen, known),
    )
    network, optimizer = _bare()

    def batches() -> Iterator[tuple[dict, dict]]:
        while True:
            yield from loader

    endless = batches()

    def some() -> int:  # not a whole epoch: it may take minutes
        done = 0
        for block, known in itertools.islice(endless, 4):
            _step(network, optimizer, network.last(block), known)
            done += len(known["best"])
        return done

    return some


def _bare(device: torch.device = CPU) -> tuple[Bare, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = Bare().to(device)
    return network, torch.optim.AdamW(
        network.parameters(), TRAINING.learning_rate, weight_decay=0, fused=True
    )


def _step(
    network: Bare, optimizer: torch.optim.Optimizer, said: Tensor, known: dict[str, Tensor]
) -> None:
    loss = F.cross_entropy(said[:, :OPTIONS], known["best"])
    loss = loss + F.cross_entropy(said[:, OPTIONS:-1], known["treatment"])
    loss = loss + (said[:, -1] - known["dose"]).abs().mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), TRAINING.clip)
    optimizer.step()


def truth(total: int) -> dict[str, Tensor]:
    """What was best, what was given, and how much, drawn for every decision."""
    rng = np.random.default_rng(2)
    return {
        "best": torch.from_numpy(rng.integers(0, OPTIONS, total)),
        "treatment": torch.from_numpy(rng.integers(0, OPTIONS, total)),
        "dose": torch.from_numpy(rng.normal(size=total).astype(np.float32)),
    }


def _padded(history: History, upto: list[tuple[int, int]]) -> dict[str, Tensor]:
    starts = [int(history.step_offsets[i]) for i, _ in upto]
    longest = max(end - start for start, (_, end) in zip(starts, upto, strict=True))
    block = _empty(len(upto), longest)
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
    block = _empty(len(chosen), longest)
    for row, (visits, _) in enumerate(chosen):
        block["code"][row, : len(visits)] = torch.tensor([codes for codes, _ in visits])
        block["value"][row, : len(visits)] = torch.nan_to_num(
            torch.tensor([values for _, values in visits])
        )
        block["known"][row, : len(visits)] = 1.0
        block["real"][row, : len(visits)] = True
    step = torch.tensor([step for _, step in chosen])
    return block, {name: t[step] for name, t in known.items()}


def _empty(rows: int, longest: int) -> dict[str, Tensor]:
    return {
        "code": torch.zeros(rows, longest, EVENTS, dtype=torch.long),
        "value": torch.zeros(rows, longest, EVENTS),
        "known": torch.zeros(rows, longest, EVENTS),
        "gap": torch.zeros(rows, longest, 2),
        "real": torch.zeros(rows, longest, dtype=torch.bool),
    }


WAYS: dict[str, Way] = {
    "posology": posology,
    "posology_ensemble": posology_ensemble,
    "floor": floor,
    "per_visit": per_visit,
}
