"""`posology fit`, and its error messages."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from posology import artifact
from posology.cohorts.study.reader import shipped_study_path
from posology.errors import UserError
from posology.learners import recipes
from tests.builders import synthetic_iwpc
from tests.builders.command_line import run
from tests.builders.small_recipes import small_recipe, use_members


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "events.parquet"
    pq.write_table(synthetic_iwpc.events(), path)
    return path


def test_an_interrupted_run_continues_from_its_checkpoints(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posology.cli.fit import fit

    monkeypatch.setattr(
        recipes, "recipe_for_cohort", lambda train, seed=0, device="cpu": small_recipe(seed)
    )
    use_members(monkeypatch)
    for name in ("first", "again"):
        fit("iwpc", events, tmp_path / name, resume=tmp_path / "run")
    first, again = (artifact.load(tmp_path / name) for name in ("first", "again"))
    assert first.digest == again.digest
    for phase in ("supervised", "reinforcement"):
        done = (tmp_path / "run" / phase / "epochs.jsonl").read_text().splitlines()
        assert len(done) == len({line.split(",")[0] for line in done}) > 0


def test_a_recipe_moves_to_the_requested_device(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    here = recipes.default_recipe()
    assert recipes.with_device(here, "cpu") == here
    with pytest.raises(UserError, match="--device tpu: is unknown; write cpu, cuda or cuda:1"):
        recipes.with_device(here, "tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="--device cuda: torch finds no such GPU on this machine"):
        recipes.with_device(here, "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    there = recipes.with_device(here, "cuda:1")
    assert there.supervised.device == there.reinforcement.device == "cuda:1"
    assert there.supervised.training.mixed_precision
    assert there.reinforcement.training.mixed_precision


def test_an_error_in_the_study_is_one_paragraph_and_exit_code_2(
    events: Path, tmp_path: Path
) -> None:
    text = shipped_study_path("iwpc").read_text(encoding="utf-8")
    study = tmp_path / "my.toml"
    for wrong, expected in (
        (text.replace("minimum_patients", "minimun_patients"), "did you mean `minimum_patients`?"),
        (text.replace("WARFARIN//START", "WARFARIN//STRAT"), "did you mean `WARFARIN//START`?"),
        (
            text.replace("at_least = 21.0", "at_least = 61.0"),
            "the range 61 to 49 mg/wk is impossible",
        ),
    ):
        study.write_text(wrong, encoding="utf-8")
        done = run("fit", study, "--events", events, "--out", tmp_path / "never")
        assert done.returncode == 2
        assert expected in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "never").exists()


def test_missing_events_and_an_existing_folder_are_refused(events: Path, tmp_path: Path) -> None:
    done = run("fit", "iwpc", "--events", tmp_path / "gone", "--out", tmp_path / "new")
    assert done.returncode == 2
    assert "no such file or folder" in " ".join(done.stderr.split())
    done = run("fit", "iwpc", "--events", events, "--out", tmp_path)
    assert done.returncode == 2
    assert "exists already; name a new folder" in " ".join(done.stderr.split())


def test_events_with_a_study_and_their_cohort_folder_become_the_same_policy(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from posology.cli.fit import fit
    from posology.cohorts.storage.folder import build_folder
    from posology.cohorts.study.reader import read_study
    from posology.errors import UserError

    monkeypatch.setattr(
        recipes, "recipe_for_cohort", lambda train, seed=0, device="cpu": small_recipe(seed)
    )
    use_members(monkeypatch)
    build_folder(read_study("iwpc"), events, tmp_path / "cohort")
    fit(str(tmp_path / "cohort"), None, tmp_path / "model")
    fit("iwpc", events, tmp_path / "other", json_file=tmp_path / "curves.json")
    assert (tmp_path / "curves.json").exists()
    one, two = (artifact.load(tmp_path / name) for name in ("model", "other"))
    assert one.digest == two.digest
    assert one.study.name == "iwpc"
    with pytest.raises(UserError, match="is a cohort already; leave --events out"):
        fit(str(tmp_path / "cohort"), events, tmp_path / "third")
    with pytest.raises(UserError, match="is a study and needs events; a cohort's folder does not"):
        fit("iwpc", None, tmp_path / "third")
