"""A saved policy is whole and as it was written, or it is refused."""

import json
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
    (folder / "policy.json").unlink()
    with pytest.raises(ArtifactError, match=r"policy\.json: cannot be read .* a saved policy"):
        artifact.load(folder)


def test_another_format_is_told_with_both_numbers(folder: Path) -> None:
    import hashlib

    body = json.loads((folder / "policy.json").read_text())
    body["format"] = 99
    text = json.dumps(body)
    (folder / "policy.json").write_text(text)
    sums = json.loads((folder / "checksums.json").read_text())
    sums["policy.json"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "checksums.json").write_text(json.dumps(sums))
    with pytest.raises(ArtifactError, match="written in format 99, this posology reads format 1"):
        artifact.load(folder)


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
