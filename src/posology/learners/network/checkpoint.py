"""What a run must remember to go on after a kill as if nothing had happened."""

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from posology.errors import UserError
from posology.learners.network.distributed import is_main_process

_STATE, _EPOCHS = "state.json", "epochs.jsonl"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the training subjects."""

    number: int
    train: dict[str, float]
    validation: dict[str, float]
    """`score` decides which epoch is kept: lower is better."""
    seconds: float
    is_best: bool
    """Whether this is the best epoch so far."""
    steps_per_second: float = 0.0
    """Steps of training subjects, validation's time included."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run writes what it needs to go on, and one JSON line an epoch (`epochs.jsonl`)."""

    folder: Path
    extra_modules: tuple[nn.Module, ...] = ()
    """Modules that change with the training and are not part of the network."""


@dataclass(slots=True, eq=False)
class RunState:
    """All that changes from batch to batch or from epoch to epoch."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    rng: np.random.Generator
    """Of the order of the subjects."""
    best: dict[str, Tensor]
    best_score: float = math.inf
    batches: int = 0


def save_state(where: RunFolder, state: RunState, settings: dict, epoch: Epoch) -> None:
    """Write the epoch's line and, in one move, the state after it; settings: as JSON knows them."""
    if not is_main_process():
        return
    where.folder.mkdir(parents=True, exist_ok=True)
    with (where.folder / _EPOCHS).open("a") as lines:
        lines.write(json.dumps(asdict(epoch)) + "\n")
    name = f"state-{epoch.number}.safetensors"
    save_file(_tensors(where, state), where.folder / name)
    body = {
        "settings": settings,
        "epoch": epoch.number,
        "batches": state.batches,
        "best_score": None if math.isinf(state.best_score) else state.best_score,
        "order": state.rng.bit_generator.state,
        "tensors": name,
    }
    draft = where.folder / f".{_STATE}"
    draft.write_text(json.dumps(body, indent=1))
    os.replace(draft, where.folder / _STATE)
    for old in where.folder.glob("state-*.safetensors"):
        if old.name != name:
            old.unlink()


def resume(where: RunFolder, state: RunState, settings: dict) -> list[Epoch]:
    """Take up the state kept, if any; the epochs that are done."""
    path = where.folder / _STATE
    if not path.exists():
        (where.folder / _EPOCHS).unlink(missing_ok=True)
        return []
    body = json.loads(path.read_text())
    if body["settings"] != settings:
        other = sorted(k for k in settings if body["settings"].get(k) != settings[k])
        raise UserError(
            f"{where.folder}: holds a run with other settings ({', '.join(other)}); name a new "
            "folder, or the same settings to go on with that run."
        )
    tensors = load_file(where.folder / body["tensors"])
    try:
        _take_up(where, state, tensors)
    except (RuntimeError, ValueError, KeyError) as error:
        raise UserError(
            f"{where.folder}: holds a run of another network or cohort; name a new folder."
        ) from error
    state.rng.bit_generator.state = body["order"]
    state.batches = body["batches"]
    state.best_score = math.inf if body["best_score"] is None else body["best_score"]
    lines = (where.folder / _EPOCHS).read_text().splitlines()[: body["epoch"]]
    if is_main_process():  # a line whose state was not yet written is written again
        (where.folder / _EPOCHS).write_text("".join(line + "\n" for line in lines))
    return [Epoch(**json.loads(line)) for line in lines]


def _tensors(where: RunFolder, state: RunState) -> dict[str, Tensor]:
    parts = {f"network.{k}": v for k, v in state.network.state_dict().items()}
    parts |= {f"best.{k}": v for k, v in state.best.items()}
    for number, module in enumerate(where.extra_modules):
        parts |= {f"beside.{number}.{k}": v for k, v in module.state_dict().items()}
    for number, moments in state.optimizer.state_dict()["state"].items():
        parts |= {f"optimizer.{number}.{k}": v for k, v in moments.items()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in parts.items()}


def _take_up(where: RunFolder, state: RunState, tensors: dict[str, Tensor]) -> None:
    def of(part: str) -> dict[str, Tensor]:
        size = len(part) + 1
        return {k[size:]: v for k, v in tensors.items() if k.startswith(f"{part}.")}

    state.network.load_state_dict(of("network"))
    device = next(state.network.parameters()).device
    state.best = {name: tensor.to(device) for name, tensor in of("best").items()}
    for number, module in enumerate(where.extra_modules):
        module.load_state_dict(of(f"beside.{number}"))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in of("optimizer").items():
        number, _, kind = name.partition(".")
        moments.setdefault(int(number), {})[kind] = tensor
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": moments, "param_groups": groups})
