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

from posology.domain.policy import Policy
from posology.domain.serialization import pack, unpack
from posology.domain.study import Study
from posology.errors import ArtifactError

FORMAT = 1

_POLICY, _WEIGHTS, _SUMS = "policy.json", "weights.safetensors", "checksums.json"
_EXPECTED = (
    f"a saved policy is a folder of {_POLICY}, {_WEIGHTS} and {_SUMS}: name the one that `posology "
    "fit --out` made"
)


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
        "posology": _version(),
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
    _is_policy(folder)
    listed = _read(folder / _SUMS)
    sums = _sums(folder, listed)
    content = _whole(folder / _POLICY, sums)
    body = _body(folder, content)
    weights = _whole(folder / _WEIGHTS, sums)
    try:
        arrays = load_tensors(weights)
        policy = _policy(body["kind"], body["policy"], arrays)
        study = unpack(Study, body["study"], {})
        evidence = body["evidence"]
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            f"{folder}: holds no policy that posology {_version()} can read, though its format is "
            f"{FORMAT}: {error}. It was saved by posology {body.get('posology')}; use that version "
            "or fit the study again."
        ) from error
    return Artifact(policy, study, evidence, hashlib.sha256(listed).hexdigest())


def _is_policy(folder: Path) -> None:
    """Raise ArtifactError where the folder is none, or something else's."""
    if not folder.is_dir():
        found = "is a file" if folder.exists() else "does not exist"
        raise ArtifactError(f"{folder}: {found}; {_EXPECTED}.")
    if not (folder / _POLICY).exists():
        names = sorted(path.name for path in folder.iterdir())
        held = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "nothing"
        raise ArtifactError(f"{folder}: has no {_POLICY} but holds {held}; {_EXPECTED}.")


def _sums(folder: Path, listed: bytes) -> dict:
    try:
        sums = json.loads(listed)
    except ValueError as error:
        raise ArtifactError(_damaged(folder / _SUMS, "is not JSON")) from error
    if not isinstance(sums, dict):
        raise ArtifactError(_damaged(folder / _SUMS, "holds no checksums"))
    return sums


def _whole(path: Path, sums: dict) -> bytes:
    """The file's bytes; ArtifactError where they are not those that were saved."""
    content = _read(path)
    if sums.get(path.name) != hashlib.sha256(content).hexdigest():
        raise ArtifactError(_damaged(path, "does not match its checksum"))
    return content


def _body(folder: Path, content: bytes) -> dict:
    """What policy.json says; ArtifactError where it is of another format."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    found = body.get("format") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(found, int):
        raise ArtifactError(f"{folder / _POLICY}: states no format; {_EXPECTED}.")
    if found != FORMAT:
        saved_by = body.get("posology")
        mend = "update posology" if found > FORMAT else "fit the study again"
        raise ArtifactError(
            f"{folder / _POLICY}: written in format {found} by posology {saved_by}, and posology "
            f"{_version()} reads format {FORMAT}; {mend} or use posology {saved_by}."
        )
    return body


def _version() -> str:
    return importlib.metadata.version("posology")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error.strerror}), so that the saved policy is not whole; "
            "restore the folder from a copy or fit the study again."
        ) from error


def _damaged(path: Path, how: str) -> str:
    return (
        f"{path}: {how}: the file was changed or cut short after it was saved. It is refused; "
        "restore the folder from a copy or fit the study again."
    )


def _state(policy: Policy, arrays: dict[str, np.ndarray]) -> tuple[str, dict]:
    from posology.learners.network.policy import NetworkPolicy

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
    from posology.learners.effects.dose_policy import DosePolicy
    from posology.learners.effects.policy import EffectPolicy
    from posology.learners.guidelines.formula import FormulaPolicy
    from posology.learners.guidelines.preference_list import OrderPolicy
    from posology.learners.offline_rl.policy import RecentPolicy
    from posology.learners.offline_rl.tabular_policy import StateCodePolicy
    from posology.learners.outcome_models.dose_boosting import BoostingMarginPolicy
    from posology.learners.outcome_models.dose_ridge import RidgeMarginPolicy
    from posology.learners.outcome_models.logistic import LinearPolicy
    from posology.learners.outcome_models.tree_policy import TreePolicy

    if kind == "NetworkPolicy":
        return _network_policy(state, arrays)
    plain = (
        BoostingMarginPolicy,
        DosePolicy,
        EffectPolicy,
        LinearPolicy,
        OrderPolicy,
        RecentPolicy,
        RidgeMarginPolicy,
        FormulaPolicy,
        StateCodePolicy,
        TreePolicy,
    )
    for policy in plain:
        if policy.__name__ == kind:
            return unpack(policy, state, arrays)
    raise ValueError(f"no policy is called {kind}")


def _network_policy(state: dict, arrays: dict[str, np.ndarray]) -> Policy:
    import torch

    from posology.domain.formulary import Formulary
    from posology.domain.profile import Profile
    from posology.learners.network.policy import NetworkPolicy, Reading
    from posology.nn.heads import Tasks
    from posology.nn.network import Network, NetworkConfig
    from posology.nn.treatment_history import Past

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
