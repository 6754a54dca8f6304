"""Checkpoints: an interrupted run resumes and ends as if it had not been interrupted."""

import hashlib
import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from posology.errors import UserError
from posology.learners.network.distributed import is_main_process

_STATE, _EPOCHS = "state.json", "epochs.jsonl"


@dataclass(frozen=True, slots=True)
class Epoch:
    """Losses of one pass over the training subjects."""

    number: int
    train: dict[str, float]
    validation: dict[str, float]
    """`score` decides which epoch is the best: lower is better."""
    seconds: float
    is_best: bool
    """Whether this is the best epoch so far."""
    steps_per_second: float = 0.0
    """Steps of training subjects per second, validation time included."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Folder of a run's checkpoint and of its epochs, one JSON line each (`epochs.jsonl`)."""

    folder: Path
    extra_modules: tuple[nn.Module, ...] = ()
    """Modules that change in training without being part of the network."""


@dataclass(slots=True, eq=False)
class RunState:
    """Everything that changes from batch to batch or from epoch to epoch."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    rng: np.random.Generator
    """Generator of the order of subjects."""
    best: dict[str, Tensor]
    best_score: float = math.inf
    batches: int = 0


def save_state(run: RunFolder, state: RunState, settings: dict, epoch: Epoch) -> None:
    """Append the epoch's line and replace the checkpoint atomically; settings: JSON values."""
    if not is_main_process():
        return
    run.folder.mkdir(parents=True, exist_ok=True)
    with (run.folder / _EPOCHS).open("a") as lines:
        lines.write(json.dumps(asdict(epoch)) + "\n")
    name = f"state-{epoch.number}.safetensors"
    save_file(_state_tensors(run, state), run.folder / name)
    body = {
        "settings": settings,
        "epoch": epoch.number,
        "batches": state.batches,
        "best_score": None if math.isinf(state.best_score) else state.best_score,
        "order": state.rng.bit_generator.state,
        "tensors": name,
        "sha256": {
            "tensors": _sha256((run.folder / name).read_bytes()),
            "epochs": _sha256((run.folder / _EPOCHS).read_bytes()),
        },
    }
    draft = run.folder / f".{_STATE}"
    draft.write_text(json.dumps({**body, "digest": _digest(body)}, indent=1))
    os.replace(draft, run.folder / _STATE)
    for old in run.folder.glob("state-*.safetensors"):
        if old.name != name:
            old.unlink()


def resume(run: RunFolder, state: RunState, settings: dict) -> list[Epoch]:
    """Load the checkpoint, if any, into the state and return its finished epochs.

    UserError if the folder is damaged, or has a run with other settings, another network or
    another cohort.
    """
    if not (run.folder / _STATE).exists():
        (run.folder / _EPOCHS).unlink(missing_ok=True)
        return []
    body, lines = _read_state(run.folder)
    if body["settings"] != settings:
        changed = sorted(k for k in settings if body["settings"].get(k) != settings[k])
        raise UserError(
            f"{run.folder}: contains a run with other settings ({', '.join(changed)}); name a new "
            "folder, or use the same settings to resume that run."
        )
    tensors = load_file(run.folder / body["tensors"])
    try:
        _load_state(run, state, tensors)
    except (RuntimeError, ValueError, KeyError) as error:
        raise UserError(
            f"{run.folder}: contains a run of another network or cohort; name a new folder."
        ) from error
    state.rng.bit_generator.state = body["order"]
    state.batches = body["batches"]
    state.best_score = math.inf if body["best_score"] is None else body["best_score"]
    if is_main_process():  # drops a line whose checkpoint was not yet written
        (run.folder / _EPOCHS).write_text("".join(line + "\n" for line in lines))
    return [Epoch(**json.loads(line)) for line in lines]


def _read_state(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The checkpoint, and the lines of its epochs; UserError if a byte of them changed."""
    try:
        text = (folder / _STATE).read_text()
        body = json.loads(text)
        # The text too: another last digit may be the same number.
        is_as_written = json.dumps(body, indent=1) == text
        damaged = "" if body.pop("digest") == _digest(body) and is_as_written else _STATE
        lines = (folder / _EPOCHS).read_text().split("\n")[: body["epoch"]]
        if body["sha256"]["epochs"] != _sha256("".join(f"{line}\n" for line in lines).encode()):
            damaged = damaged or _EPOCHS
        if body["sha256"]["tensors"] != _sha256((folder / body["tensors"]).read_bytes()):
            damaged = damaged or body["tensors"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        damaged = _STATE
    if damaged:
        raise UserError(
            f"{folder / damaged}: is damaged or of another version, so that the run cannot be "
            f"resumed; remove {folder} and train again."
        )
    return body, lines


def _digest(body: dict[str, Any]) -> str:
    return _sha256(json.dumps(body, sort_keys=True).encode())


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _state_tensors(run: RunFolder, state: RunState) -> dict[str, Tensor]:
    parts = {f"network.{k}": v for k, v in state.network.state_dict().items()}
    parts |= {f"best.{k}": v for k, v in state.best.items()}
    for number, module in enumerate(run.extra_modules):
        parts |= {f"extra.{number}.{k}": v for k, v in module.state_dict().items()}
    for number, moments in state.optimizer.state_dict()["state"].items():
        parts |= {f"optimizer.{number}.{k}": v for k, v in moments.items()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in parts.items()}


def _load_state(run: RunFolder, state: RunState, tensors: dict[str, Tensor]) -> None:
    def part(name: str) -> dict[str, Tensor]:
        size = len(name) + 1
        return {k[size:]: v for k, v in tensors.items() if k.startswith(f"{name}.")}

    state.network.load_state_dict(part("network"))
    device = next(state.network.parameters()).device
    state.best = {name: tensor.to(device) for name, tensor in part("best").items()}
    for number, module in enumerate(run.extra_modules):
        module.load_state_dict(part(f"extra.{number}"))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in part("optimizer").items():
        number, _, kind = name.partition(".")
        moments.setdefault(int(number), {})[kind] = tensor
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": moments, "param_groups": groups})
