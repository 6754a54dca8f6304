"""A policy of one hospital, judged in another, and both pooled: every command, end to end."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from posology import artifact
from posology.cli import app
from posology.errors import UserError
from tests.builders.changing_world import changing_events
from tests.builders.two_drug_records import TEXT

RUN = CliRunner()


def posology(*words: str | Path) -> str:
    """The command's output in one line of text; it must succeed."""
    done = RUN.invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study, the cohort of the hospital where a policy is fitted, and that of another one."""
    folder = tmp_path_factory.mktemp("hospitals")
    study = TEXT.replace('which = "every"', 'which = "first"') + '[subgroups]\nsex = ["SEX"]\n'
    (folder / "study.toml").write_text(study)
    for number, (name, patients) in enumerate([("home", 700), ("away", 300)]):
        events = changing_events(1, patients, (0, 900), number)
        pq.write_table(events, folder / f"{name}.parquet")
        posology(
            *("cohort", folder / "study.toml", folder / f"{name}.parquet"),
            *("--out", folder / f"{name} cohort"),
        )
    posology(
        *("fit", folder / "home cohort", "--method", "logistic", "--out", folder / "model"),
        *("--evidence-decisions", "0"),
    )
    return folder


def test_a_policy_is_judged_where_it_was_fitted_and_elsewhere_and_both_are_pooled(
    hospitals: Path,
) -> None:
    model, home, away = (hospitals / name for name in ("model", "home.json", "away.json"))
    judged = posology("evaluate", model, hospitals / "home cohort", "--share", home)
    assert "home.json. " in judged
    judged = posology(
        *("effect", hospitals / "away cohort", "--policy", model, "--repeats", "0"),
        *("--share", away),
    )
    digest = artifact.load(model).digest
    assert f"policy {digest[:8]}" in judged
    here, there = (json.loads(path.read_text()) for path in (home, away))
    assert here["study"]["hash"] == there["study"]["hash"]
    assert here["patients"] < 200, "the test split"
    assert there["patients"] == 300, "all are new to it"
    pooled = posology("pool", home, away, "--json", hospitals / "pooled.json")
    assert f"policy {digest[:8]}" in pooled
    rows = json.loads((hospitals / "pooled.json").read_text())["rows"]
    values = {row["split"]: row["value"] for row in rows if row["model"] == f"policy {digest}"}
    assert set(values) >= {"pooled", "home", "away"}
    assert values["home"] == pytest.approx(_effect(here, digest))
    assert values["away"] == pytest.approx(_effect(there, digest))


def _effect(summary: dict, digest: str) -> float:
    """The policy's value over the reference, of all patients."""
    (effect,) = (e for e in summary["outcomes"][0]["effects"] if e["name"] == f"policy {digest}")
    return effect["effect"]


def test_a_policy_is_not_judged_elsewhere_on_the_cohort_it_was_fitted_on(hospitals: Path) -> None:
    with pytest.raises(UserError, match=r"--policy was fitted on this cohort, whose patients are"):
        posology("effect", hospitals / "home cohort", "--policy", hospitals / "model")
