"""A policy as a folder: JSON, safetensors and checksums. The only place where a name is a class."""

import hashlib
import importlib.metadata
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from posology.domain.plain import pack, unpack
from posology.domain.policy import Policy
from posology.domain.study import Study
from posology.errors import ArtifactError

FORMAT = 1

_POLICY, _WEIGHTS, _SUMS = "policy.json", "weights.safetensors", "checksums.json"


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A policy with the study it answers and the evidence behind it."""

    policy: Policy
    study: Study
    evidence: dict
    """What was measured when it was made, as JSON: metrics, patients, date, versions."""
    digest: str
    """SHA-256 over the folder's files: the version that pages and logs name."""


def save(policy: Policy, study: Study, evidence: dict, folder: Path) -> None:
    """Write a new folder, whole or not at all; ArtifactError where it exists."""
    if folder.exists():
        raise ArtifactError(f"{folder}: exists already; name a new folder or remove this one.")
    arrays: dict[str, np.ndarray] = {}
    kind, state = _state(policy, arrays)
    body = {
        "format": FORMAT,
        "posology": importlib.metadata.version("posology"),
        "kind": kind,
        "policy": state,
        "study": pack(study, {}),
        "evidence": evidence,
    }
    files = {
        _POLICY: json.dumps(body, indent=1, sort_keys=True).encode(),
        _WEIGHTS: save_tensors(arrays),
    }
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files[_SUMS] = json.dumps(sums, indent=1, sort_keys=True).encode()
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, content in files.items():
            (draft / name).write_bytes(content)
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def load(folder: Path) -> Artifact:
    """The policy of a folder; ArtifactError where a byte is not as it was written."""
    files = {name: _read(folder / name) for name in (_POLICY, _WEIGHTS, _SUMS)}
    try:
        sums = json.loads(files[_SUMS])
    except ValueError as error:
        raise ArtifactError(_damaged(folder / _SUMS, "is not JSON")) from error
    for name in (_POLICY, _WEIGHTS):
        found = hashlib.sha256(files[name]).hexdigest()
        if not isinstance(sums, dict) or sums.get(name) != found:
            raise ArtifactError(_damaged(folder / name, "does not match its checksum"))
    body = json.loads(files[_POLICY])
    if body.get("format") != FORMAT:
        raise ArtifactError(
            f"{folder}: written in format {body.get('format')}, this posology reads format "
            f"{FORMAT}; fit the study again or use posology {body.get('posology')}."
        )
    try:
        arrays = load_tensors(files[_WEIGHTS])
        policy = _policy(body["kind"], body["policy"], arrays)
        study = unpack(Study, body["study"], {})
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            f"{folder}: does not hold a policy of this version: {error}."
        ) from error
    return Artifact(policy, study, body["evidence"], hashlib.sha256(files[_SUMS]).hexdigest())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error.strerror}); is the folder a saved policy, and whole?"
        ) from error


def _damaged(path: Path, how: str) -> str:
    return (
        f"{path}: {how}: the file was changed or cut short after it was saved. It is refused; "
        "restore the folder from a copy or fit the study again."
    )


def _state(policy: Policy, arrays: dict[str, np.ndarray]) -> tuple[str, dict]:
    from posology.learners.neural import NetworkPolicy

    if not isinstance(policy, NetworkPolicy):
        state = pack(policy, arrays)
        assert isinstance(state, dict)
        return type(policy).__name__, state
    for name, tensor in policy.network.state_dict().items():
        arrays[f"network.{name}"] = tensor.detach().cpu().numpy()
    return "NetworkPolicy", {
        "formulary": pack(policy.formulary, arrays),
        "profile": pack(policy.profile, arrays, "profile"),
        "config": asdict(policy.network.config),
        "reading": pack(policy.reading, arrays),
    }


def _policy(kind: str, state: dict, arrays: dict[str, np.ndarray]) -> Policy:
    from posology.learners import (
        boosting_margin,
        dose_policy,
        effect_policy,
        linear,
        ordered,
        recent_policy,
        ridge_margin,
        rules,
        state_code,
        trees,
    )

    if kind == "NetworkPolicy":
        return _network_policy(state, arrays)
    plain = (
        boosting_margin.BoostingMarginPolicy,
        dose_policy.DosePolicy,
        effect_policy.EffectPolicy,
        linear.LinearPolicy,
        ordered.OrderPolicy,
        recent_policy.RecentPolicy,
        ridge_margin.RidgeMarginPolicy,
        rules.FormulaPolicy,
        state_code.StateCodePolicy,
        trees.TreePolicy,
    )
    for policy in plain:
        if policy.__name__ == kind:
            return unpack(policy, state, arrays)
    raise ValueError(f"no policy is called {kind}")


def _network_policy(state: dict, arrays: dict[str, np.ndarray]) -> Policy:
    import torch

    from posology.domain.formulary import Formulary
    from posology.domain.profile import Profile
    from posology.learners.neural import NetworkPolicy, Reading
    from posology.nn.courses import Past
    from posology.nn.heads import Tasks
    from posology.nn.network import Network, NetworkConfig

    config = dict(state["config"])
    tasks = Tasks(**config.pop("tasks", {}))
    levels = tuple(tuple(doses) for doses in config.pop("levels", ()))
    past = Past(**{name: tuple(codes) for name, codes in config.pop("past", {}).items()})
    network = Network(NetworkConfig(**config, tasks=tasks, levels=levels, past=past))
    weights = {
        name.removeprefix("network."): torch.from_numpy(array.copy())
        for name, array in arrays.items()
        if name.startswith("network.")
    }
    network.load_state_dict(weights)
    return NetworkPolicy(
        formulary=unpack(Formulary, state["formulary"], arrays),
        profile=unpack(Profile, state["profile"], arrays),
        network=network.eval(),
        reading=unpack(Reading, state["reading"], arrays),
    )
