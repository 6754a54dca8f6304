"""A saved policy is complete and unchanged, or it is refused."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from posology import artifact
from posology.errors import ArtifactError
from tests.builders.policies import fitted_policy, iwpc_cohort


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    artifact.save(fitted_policy("posology"), iwpc_cohort().study, {}, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["policy.json", "weights.safetensors"])
def test_a_changed_byte_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(ArtifactError) as caught:
        artifact.load(folder)
    assert str(caught.value) == (
        f"{folder / name}: does not match its checksum: the file was changed or truncated after "
        "it was saved. It is refused; restore the folder from a copy or fit the study again."
    )


def test_a_truncated_artifact_is_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArtifactError, match="does not match its checksum"):
        artifact.load(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    assert refused(folder) == (
        f"{folder / 'weights.safetensors'}: cannot be read (No such file or directory), so the "
        "saved policy is incomplete; restore the folder from a copy or fit the study again."
    )


EXPECTED = (
    "a saved policy is a folder of policy.json, weights.safetensors and checksums.json: name the "
    "one that `posology fit --out` made."
)


def test_a_path_that_is_no_artifact_is_described(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    for name in ("cohort.json", "code.npy"):
        (tmp_path / "cohort" / name).write_text("{}")
    (tmp_path / "report.html").write_text("<html>")
    (tmp_path / "empty").mkdir()
    problems = {
        "cohort": "has no policy.json but holds code.npy, cohort.json",
        "report.html": "is a file",
        "empty": "has no policy.json but holds nothing",
        "none": "does not exist",
    }
    for name, problem in problems.items():
        assert refused(tmp_path / name) == f"{tmp_path / name}: {problem}; {EXPECTED}"


def rewrite(folder: Path, **changes: object) -> None:
    """Change values of the policy's JSON and correct its checksum."""
    body = {**json.loads((folder / "policy.json").read_text()), **changes}
    text = json.dumps(body)
    (folder / "policy.json").write_text(text)
    sums = json.loads((folder / "checksums.json").read_text())
    sums["policy.json"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "checksums.json").write_text(json.dumps(sums))


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(3, "update posology"), (99, "update posology"), (0, "fit the study again")],
)
def test_an_unknown_format_is_refused_with_both_versions(
    folder: Path, number: int, remedy: str
) -> None:
    rewrite(folder, format=number, posology="7.1")
    (folder / "weights.safetensors").unlink()  # another format may have other files
    assert refused(folder) == (
        f"{folder / 'policy.json'}: written in format {number} by posology 7.1, and posology "
        f"{version('posology')} reads formats 1 and 2; {remedy} or use posology 7.1."
    )


def test_a_file_of_another_program_is_refused(folder: Path) -> None:
    rewrite(folder, format=None)
    assert refused(folder) == f"{folder / 'policy.json'}: states no format; {EXPECTED}"


def test_an_unknown_kind_of_policy_is_refused_with_the_version_that_saved_it(folder: Path) -> None:
    rewrite(folder, kind="CrystalBall", posology="7.1")
    assert refused(folder) == (
        f"{folder}: holds no policy that posology {version('posology')} can read, though its "
        "format is 2: no policy is called CrystalBall. It was saved by posology 7.1; use that "
        "version or fit the study again."
    )


def refused(folder: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        artifact.load(folder)
    return str(caught.value)


def test_nothing_is_overwritten(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="exists already; name a new folder"):
        artifact.save(fitted_policy("fixed"), iwpc_cohort().study, {}, folder)


def test_no_draft_is_left_behind(folder: Path) -> None:
    assert [p.name for p in folder.parent.iterdir()] == ["model"]
    assert sorted(p.name for p in folder.iterdir()) == [
        "checksums.json",
        "policy.json",
        "weights.safetensors",
    ]


def test_arrays_of_the_evidence_are_kept_beside_the_weights(tmp_path: Path) -> None:
    evidence = {"effects": {"arrays": {"mean": np.arange(3.0)}, "said": {"reason": "none"}}}
    artifact.save(fitted_policy("logistic"), iwpc_cohort().study, evidence, tmp_path / "model")
    kept = artifact.load(tmp_path / "model").evidence
    np.testing.assert_array_equal(kept["effects"]["arrays"]["mean"], np.arange(3.0))
    assert kept["effects"]["said"] == {"reason": "none"}
    assert "[0.0" not in (tmp_path / "model" / "policy.json").read_text()
