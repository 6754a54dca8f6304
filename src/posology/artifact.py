"""A saved policy: a folder of JSON, safetensors and checksums.

The only place where a name in a file becomes a class.
"""

import hashlib
import importlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from posology.artifact_keys import COMPETING_AS, FORMAT_1, TODAY, Keys, weight_name
from posology.domain.policy import Policy
from posology.domain.serialization import deserialize, serialize
from posology.domain.study import Study
from posology.errors import ArtifactError
from posology.learners.stack.policy import StackedPolicy
from posology.records.io.drafts import draft_folder

FORMAT = 2
"""Number of the format that `save` writes; raised whenever a name on disk changes."""
_KEYS = {1: FORMAT_1, FORMAT: TODAY}
"""Formats that `load` reads, with the names each uses."""

_EVIDENCE, _ARRAY = "evidence", "$array"
"""Prefix of the evidence's arrays among the weights, and the key that stands for one."""
_POLICY, _WEIGHTS, _CHECKSUMS = "policy.json", "weights.safetensors", "checksums.json"
_EXPECTED = (
    f"a saved policy is a folder of {_POLICY}, {_WEIGHTS} and {_CHECKSUMS}: name the one that "
    "`posology fit --out` made"
)


@dataclass(frozen=True, slots=True, eq=False)
class Artifact:
    """A policy with its study and the evidence for it."""

    policy: Policy
    study: Study
    evidence: dict
    """Measured when the policy was fitted, as JSON and arrays: metrics, patients, versions."""
    digest: str
    """SHA-256 over the folder's files: the version that pages and logs name."""


def save(policy: Policy, study: Study, evidence: dict, folder: str | Path) -> None:
    """Write a new folder, complete or not at all; ArtifactError if it exists."""
    folder = Path(folder)
    if folder.exists():
        raise ArtifactError(f"{folder}: exists already; name a new folder or remove this one.")
    arrays: dict[str, np.ndarray] = {}
    kind, state = _pack_policy(policy, arrays)
    evidence = _pack_evidence(evidence, arrays, _EVIDENCE)
    body = {
        "format": FORMAT,
        "posology": _version(),
        "kind": kind,
        "policy": state,
        "study": serialize(study, {}),
        "evidence": evidence,
    }
    files = {
        _POLICY: json.dumps(body, indent=1, sort_keys=True).encode(),
        _WEIGHTS: save_tensors(arrays),
    }
    checksums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files[_CHECKSUMS] = json.dumps(checksums, indent=1, sort_keys=True).encode()
    with draft_folder(folder) as draft:
        whole = draft / "whole"
        try:
            whole.mkdir(mode=0o700)
            for name, content in files.items():
                (whole / name).write_bytes(content)
            whole.rename(folder)
        except OSError as error:
            raise ArtifactError(f"{folder}: cannot be written: {error.strerror}") from error


def load(folder: str | Path) -> Artifact:
    """The policy of a folder; ArtifactError if a byte differs from what was saved."""
    folder = Path(folder)
    _check_is_policy(folder)
    listed = _read(folder / _CHECKSUMS)
    checksums = _parse_checksums(folder, listed)
    body = _parse_body(folder, _read_checked(folder / _POLICY, checksums))
    weights = _read_checked(folder / _WEIGHTS, checksums)
    keys = _KEYS[body["format"]]
    try:
        tensors = load_tensors(weights)
        evidence = _unpack_evidence(body["evidence"], tensors)
        kept = {n: t for n, t in tensors.items() if not n.startswith(f"{_EVIDENCE}.")}
        policy = _unpack_policy(body["kind"], body["policy"], kept, keys)
        study = _with_todays_values(deserialize(Study, body["study"], {}, keys.fields))
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ArtifactError(
            f"{folder}: holds no policy that posology {_version()} can read, though its format is "
            f"{body['format']}: {error}. It was saved by posology {body.get('posology')}; use that "
            "version or fit the study again."
        ) from error
    return Artifact(policy, study, evidence, hashlib.sha256(listed).hexdigest())


def saved_by(folder: str | Path) -> str:
    """The version of posology that saved the policy of a folder."""
    content = _read(Path(folder) / _POLICY)
    return str(_parse_body(Path(folder), content).get("posology"))


def _pack_evidence(value: Any, arrays: dict[str, np.ndarray], path: str) -> Any:
    """The evidence as JSON; its arrays are added to `arrays` under the path of their keys."""
    if isinstance(value, np.ndarray):
        arrays[path] = np.ascontiguousarray(value)
        return {_ARRAY: path}
    if isinstance(value, dict):
        return {k: _pack_evidence(v, arrays, f"{path}.{k}") for k, v in value.items()}
    return value


def _unpack_evidence(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if not isinstance(value, dict):
        return value
    if set(value) == {_ARRAY} and value[_ARRAY] in arrays:
        return arrays[value[_ARRAY]]
    return {k: _unpack_evidence(v, arrays) for k, v in value.items()}


def _with_todays_values(study: Study) -> Study:
    """The study of a saved policy, with the words of today's study files."""
    outcome = study.outcome
    today = COMPETING_AS.get(outcome.competing_as, outcome.competing_as)
    return replace(study, outcome=replace(outcome, competing_as=today))


def _check_is_policy(folder: Path) -> None:
    """Raise ArtifactError if the folder is missing or holds something else."""
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise ArtifactError(f"{folder}: {problem}; {_EXPECTED}.")
    if not (folder / _POLICY).exists():
        names = sorted(path.name for path in folder.iterdir())
        content = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "nothing"
        raise ArtifactError(f"{folder}: has no {_POLICY} but holds {content}; {_EXPECTED}.")


def _parse_checksums(folder: Path, listed: bytes) -> dict:
    try:
        checksums = json.loads(listed)
    except ValueError as error:
        raise ArtifactError(_damaged(folder / _CHECKSUMS, "is not JSON")) from error
    if not isinstance(checksums, dict):
        raise ArtifactError(_damaged(folder / _CHECKSUMS, "holds no checksums"))
    return checksums


def _read_checked(path: Path, checksums: dict) -> bytes:
    """The file's bytes; ArtifactError if they differ from those that were saved."""
    content = _read(path)
    if checksums.get(path.name) != hashlib.sha256(content).hexdigest():
        raise ArtifactError(_damaged(path, "does not match its checksum"))
    return content


def _parse_body(folder: Path, content: bytes) -> dict:
    """The content of policy.json; ArtifactError if its format cannot be read."""
    try:
        body = json.loads(content)
    except ValueError:
        body = None
    number = body.get("format") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(number, int):
        raise ArtifactError(f"{folder / _POLICY}: states no format; {_EXPECTED}.")
    if number not in _KEYS:
        saved_by = body.get("posology")
        remedy = "update posology" if number > FORMAT else "fit the study again"
        readable = " and ".join(str(known) for known in sorted(_KEYS))
        raise ArtifactError(
            f"{folder / _POLICY}: written in format {number} by posology {saved_by}, and posology "
            f"{_version()} reads formats {readable}; {remedy} or use posology {saved_by}."
        )
    return body


def _version() -> str:
    return importlib.metadata.version("posology")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error.strerror}), so the saved policy is incomplete; "
            "restore the folder from a copy or fit the study again."
        ) from error


def _damaged(path: Path, problem: str) -> str:
    return (
        f"{path}: {problem}: the file was changed or truncated after it was saved. It is refused; "
        "restore the folder from a copy or fit the study again."
    )


def _pack_policy(policy: Policy, arrays: dict[str, np.ndarray]) -> tuple[str, dict]:
    """Kind and fields of a policy; its arrays are added to `arrays`."""
    from posology.learners.network.policy import NetworkPolicy

    if isinstance(policy, StackedPolicy):
        return "StackedPolicy", _pack_stack(policy, arrays)
    if not isinstance(policy, NetworkPolicy):
        state = serialize(policy, arrays)
        assert isinstance(state, dict)
        return type(policy).__name__, state
    for name, tensor in policy.network.state_dict().items():
        arrays[f"network.{name}"] = tensor.detach().cpu().numpy()
    return "NetworkPolicy", {
        "formulary": serialize(policy.formulary, arrays),
        "profile": serialize(policy.profile, arrays, "profile"),
        "config": serialize(policy.network.config, {}),
        "decoding": serialize(policy.decoding, arrays),
    }


def _pack_stack(policy: StackedPolicy, arrays: dict[str, np.ndarray]) -> dict:
    """The stack's own fields, and each member with its arrays under its number."""
    state = serialize(replace(policy, members=()), arrays, "stack")
    assert isinstance(state, dict)
    members = []
    for number, member in enumerate(policy.members):
        own: dict[str, np.ndarray] = {}
        kind, fields = _pack_policy(member, own)
        arrays |= {f"member.{number}.{name}": array for name, array in own.items()}
        members.append({"kind": kind, "policy": fields})
    return state | {"members": members}


_POLICIES = {
    "DoseGridPolicy": "posology.learners.outcome_models.dose_grid_policy",
    "EffectDosePolicy": "posology.learners.effects.dose_policy",
    "EffectPolicy": "posology.learners.effects.policy",
    "FormulaPolicy": "posology.learners.guidelines.formula",
    "JointValuePolicy": "posology.learners.recurrent.joint",
    "LinearPolicy": "posology.learners.outcome_models.logistic",
    "PreferenceListPolicy": "posology.learners.guidelines.preference_list",
    "RecentWindowPolicy": "posology.learners.offline_rl.policy",
    "RecurrentPolicy": "posology.learners.recurrent.policy",
    "StackedPolicy": "posology.learners.stack.policy",
    "StateCodePolicy": "posology.learners.offline_rl.tabular_policy",
    "TreePolicy": "posology.learners.outcome_models.tree_policy",
}
"""Where each class without a network is; only that of the policy at hand is imported."""


def _unpack_policy(kind: str, state: dict, arrays: dict[str, np.ndarray], keys: Keys) -> Policy:
    kind = keys.kinds.get(kind, kind)
    if kind == "NetworkPolicy":
        return _unpack_network_policy(state, arrays, keys)
    if kind not in _POLICIES:
        raise ValueError(f"no policy is called {kind}")
    if kind == "StackedPolicy":
        return _unpack_stack(state, arrays, keys)
    policy = getattr(importlib.import_module(_POLICIES[kind]), kind)
    return deserialize(policy, state, arrays, keys.fields)


def _unpack_stack(state: dict, arrays: dict[str, np.ndarray], keys: Keys) -> Policy:
    members = []
    for number, member in enumerate(state["members"]):
        prefix = f"member.{number}."
        own = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
        members.append(_unpack_policy(member["kind"], member["policy"], own, keys))
    own_fields = deserialize(StackedPolicy, {**state, "members": []}, arrays, keys.fields)
    return replace(own_fields, members=tuple(members))


def _unpack_network_policy(state: dict, arrays: dict[str, np.ndarray], keys: Keys) -> Policy:
    import torch

    from posology.domain.formulary import Formulary
    from posology.domain.profile import Profile
    from posology.learners.network.policy import Decoding, NetworkPolicy
    from posology.nn.network import Network, NetworkConfig

    names = keys.fields.get("NetworkPolicy", {})
    state = {names.get(name, name): item for name, item in state.items()}
    network = Network(deserialize(NetworkConfig, state["config"], {}, keys.fields))
    weights = {
        weight_name(name.removeprefix("network."), keys): torch.from_numpy(array.copy())
        for name, array in arrays.items()
        if name.startswith("network.")
    }
    network.load_state_dict(weights)
    return NetworkPolicy(
        formulary=deserialize(Formulary, state["formulary"], arrays, keys.fields),
        profile=deserialize(Profile, state["profile"], arrays, keys.fields),
        network=network.eval(),
        decoding=deserialize(Decoding, state["decoding"], arrays, keys.fields),
    )
