"""A saved policy is whole and as it was written, or it is refused."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import pytest

from posology import artifact
from posology.errors import ArtifactError
from tests.learners.test_policy_contract import policy, world


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    artifact.save(policy("posology"), world().study, {}, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["policy.json", "weights.safetensors"])
def test_a_changed_byte_is_refused(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(bytes(content))
    with pytest.raises(ArtifactError) as caught:
        artifact.load(folder)
    assert str(caught.value) == (
        f"{folder / name}: does not match its checksum: the file was changed or cut short after "
        "it was saved. It is refused; restore the folder from a copy or fit the study again."
    )


def test_a_truncated_artifact_is_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArtifactError, match="does not match its checksum"):
        artifact.load(folder)


def test_a_missing_file_is_told(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    assert refused(folder) == (
        f"{folder / 'weights.safetensors'}: cannot be read (No such file or directory), so that "
        "the saved policy is not whole; restore the folder from a copy or fit the study again."
    )


EXPECTED = (
    "a saved policy is a folder of policy.json, weights.safetensors and checksums.json: name the "
    "one that `posology fit --out` made."
)


def test_what_is_no_artifact_is_told(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    for name in ("cohort.json", "code.npy"):
        (tmp_path / "cohort" / name).write_text("{}")
    (tmp_path / "report.html").write_text("<html>")
    (tmp_path / "empty").mkdir()
    found = {
        "cohort": "has no policy.json but holds code.npy, cohort.json",
        "report.html": "is a file",
        "empty": "has no policy.json but holds nothing",
        "none": "does not exist",
    }
    for name, said in found.items():
        assert refused(tmp_path / name) == f"{tmp_path / name}: {said}; {EXPECTED}"


def rewritten(folder: Path, **changes: object) -> None:
    """The policy's JSON with other values, its checksum made good."""
    body = {**json.loads((folder / "policy.json").read_text()), **changes}
    text = json.dumps(body)
    (folder / "policy.json").write_text(text)
    sums = json.loads((folder / "checksums.json").read_text())
    sums["policy.json"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "checksums.json").write_text(json.dumps(sums))


@pytest.mark.parametrize(("number", "mend"), [(99, "update posology"), (0, "fit the study again")])
def test_another_format_is_told_with_both_versions(folder: Path, number: int, mend: str) -> None:
    rewritten(folder, format=number, posology="7.1")
    (folder / "weights.safetensors").unlink()  # another format may have other files
    assert refused(folder) == (
        f"{folder / 'policy.json'}: written in format {number} by posology 7.1, and posology "
        f"{version('posology')} reads format 1; {mend} or use posology 7.1."
    )


def test_a_file_of_another_program_is_told(folder: Path) -> None:
    rewritten(folder, format=None)
    assert refused(folder) == f"{folder / 'policy.json'}: states no format; {EXPECTED}"


def test_a_policy_this_version_cannot_read_is_told_with_the_one_that_wrote_it(folder: Path) -> None:
    rewritten(folder, kind="CrystalBall", posology="7.1")
    assert refused(folder) == (
        f"{folder}: holds no policy that posology {version('posology')} can read, though its "
        "format is 1: no policy is called CrystalBall. It was saved by posology 7.1; use that "
        "version or fit the study again."
    )


def refused(folder: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        artifact.load(folder)
    return str(caught.value)


def test_nothing_is_overwritten(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="exists already; name a new folder"):
        artifact.save(policy("fixed"), world().study, {}, folder)


def test_no_draft_is_left_behind(folder: Path) -> None:
    assert [p.name for p in folder.parent.iterdir()] == ["model"]
    assert sorted(p.name for p in folder.iterdir()) == [
        "checksums.json",
        "policy.json",
        "weights.safetensors",
    ]
