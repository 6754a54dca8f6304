"""Signed models: refused if unsigned, of a stranger, changed, or answering otherwise."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from posology import artifact
from posology.advice.form.field import DATED, STATIC, Field
from posology.errors import ArtifactError, UserError
from posology.service.models import golden, signing
from posology.service.models.golden import GOLDEN, make_golden
from posology.service.models.served import choose_version, read_served_model
from posology.service.models.signing import SIGNATURE, make_keys, sign, verify
from posology.service.settings import ModelSettings, Settings


@pytest.fixture
def signed(small_model: Path, tmp_path: Path) -> tuple[Path, Path, Path]:
    """A signed copy of the small model, and the pair of keys."""
    folder = tmp_path / "model"
    shutil.copytree(small_model, folder)
    private, public = make_keys(tmp_path / "hospital")
    patients = [{"decision": "2026-01-01", "facts": {"sex": "male"}}]
    sign(folder, private, make_golden(artifact.load(folder), patients))
    return folder, private, public


def test_a_signed_model_is_served_after_its_golden_patients(
    signed: tuple[Path, Path, Path],
) -> None:
    folder, private, public = signed
    served = read_served_model(Settings((), trusted_keys=(public,)), "warfarin", folder)
    assert (served.signed_by, served.golden) == ("hospital", 1)
    assert oct(private.stat().st_mode & 0o777) == "0o600"


def test_an_unsigned_model_is_refused_unless_allowed(small_model: Path) -> None:
    with pytest.raises(ArtifactError, match=r"is not signed\. Review it, then `posology serve"):
        read_served_model(Settings(()), "warfarin", small_model)
    served = read_served_model(Settings((), allow_unsigned=True), "warfarin", small_model)
    assert (served.signed_by, served.golden) == ("", 0)


def test_a_changed_file_or_a_strangers_signature_is_refused(
    signed: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    folder, _, public = signed
    stranger, _ = make_keys(tmp_path / "stranger")
    content = (folder / GOLDEN).read_bytes()
    (folder / GOLDEN).write_bytes(content + b" ")
    with pytest.raises(ArtifactError, match=r"golden\.json: was changed after the model was sign"):
        verify(folder, (public,))
    (folder / GOLDEN).write_bytes(content)
    assert verify(folder, (public,)) == "hospital"
    body = json.loads((folder / SIGNATURE).read_text())
    body["files"]["policy.json"] = "0" * 64
    (folder / SIGNATURE).write_text(json.dumps(body))
    with pytest.raises(ArtifactError, match="the signature is false"):
        verify(folder, (public,))
    sign(folder, stranger)
    with pytest.raises(ArtifactError, match="none of the 1 trusted keys"):
        verify(folder, (public,))


def test_an_answer_that_differs_in_one_bit_stops_the_start(
    signed: tuple[Path, Path, Path],
) -> None:
    folder, private, public = signed
    golden = json.loads((folder / GOLDEN).read_text())
    option = golden["patients"][0]["answer"]["options"][0]
    option["choice_share"] += 2**-53
    (folder / GOLDEN).write_text(json.dumps(golden))
    sign(folder, private)
    with pytest.raises(ArtifactError, match=r"golden patient 1 of 1 gets another answer \(options"):
        read_served_model(Settings((), trusted_keys=(public,)), "warfarin", folder)


def test_a_signature_that_was_cut_off_leaves_the_model_as_it_was_signed(
    signed: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise InterruptedError

    folder, private, public = signed
    monkeypatch.setattr(signing, "exchange_folders", die)
    with pytest.raises(InterruptedError):
        sign(folder, private, b"other golden patients")
    assert verify(folder, (public,)) == "hospital"
    monkeypatch.undo()
    sign(folder, private, b"other golden patients")
    assert verify(folder, (public,)) == "hospital"
    assert (folder / GOLDEN).read_bytes() == b"other golden patients"
    assert [p.name for p in folder.parent.glob(".model-*")] == []


def test_a_private_key_that_was_left_alone_gets_its_public_key(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "k")
    before = private.read_bytes(), public.read_bytes()
    public.unlink()
    make_keys(tmp_path / "k")
    assert (private.read_bytes(), public.read_bytes()) == before


def test_a_name_with_a_dot_is_kept_whole(tmp_path: Path) -> None:
    private, public = make_keys(tmp_path / "my.hospital")
    assert (private.name, public.name) == ("my.hospital.key", "my.hospital.pub")


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    make_keys(tmp_path / "k")
    with pytest.raises(UserError, match=r"k\.key: exists already"):
        make_keys(tmp_path / "k")


def test_the_version_of_the_settings_is_served_else_the_last_else_the_newest(
    tmp_path: Path,
) -> None:
    import hashlib
    import os

    digests = []
    for number in (1, 2, 3):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "policy.json").write_text("{}")
        (folder / "checksums.json").write_text(str(number))
        os.utime(folder / "policy.json", (number, number))
        digests.append(hashlib.sha256(str(number).encode()).hexdigest())
    model = ModelSettings("m", tmp_path)
    assert choose_version(model, "").name == "3"
    assert choose_version(model, digests[0]).name == "1"
    assert choose_version(ModelSettings("m", tmp_path, digests[1][:12]), digests[0]).name == "2"
    with pytest.raises(UserError, match=r"model m: 0 versions in .* begin with ffff"):
        choose_version(ModelSettings("m", tmp_path, "ffff"), "")


def test_made_up_values_have_a_date_where_training_patients_had_one(
    small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = (("yes", "SMOKES//yes"), ("no", "SMOKES//no"))
    old = Field("smoking", "SMOKES", "yes_no", answers, timing=DATED, days_before=174.0)
    form = SimpleNamespace(fields=[old, replace(old, name="sex", timing=STATIC)])
    monkeypatch.setattr(golden, "form_of", lambda _model: form)
    nobody, first, *_ = golden.made_up_patients(artifact.load(small_model))
    assert nobody["facts"] == {}
    assert first["facts"] == {"smoking": {"value": "yes", "date": "2025-07-11"}, "sex": "yes"}
