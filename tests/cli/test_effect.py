import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.cohorts.storage.arrays import load_cohort, save_cohort
from posology.domain.cohort import Cohort
from posology.errors import UserError
from tests.builders import synthetic_iwpc

RUN = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Random treatments of synthetic patients whose right option is known."""
    cohort = synthetic_iwpc.cohort(260)
    study = replace(cohort.study, outcome=replace(cohort.study.outcome, kind="value_in_range"))
    treatment = np.random.default_rng(0).integers(0, 3, len(cohort)).astype(np.int32)
    effective = (treatment == cohort.best_treatment).astype(np.float32)
    complete = np.random.default_rng(1).random(len(cohort)) < 0.9
    effective[~complete] = np.nan
    path = tmp_path_factory.mktemp("effect") / "cohort"
    save_cohort(
        replace(
            cohort,
            study=study,
            treatment=treatment,
            effective=effective,
            outcome_observed=complete,
            warnings=("follow-up has no end.",),
        ),
        path,
    )
    return path


def test_the_verdict_comes_first_and_every_figure_is_written(folder, tmp_path) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    shared = tmp_path / "north.json"
    files = ["--report", str(page), "--json", str(figures), "--share", str(shared)]
    done = RUN.invoke(app, ["effect", str(folder), "--repeats", "0", *files])
    assert done.exit_code == 0, done.output
    rows = json.loads(figures.read_text())["rows"]
    verdict = rows[0]
    assert verdict["metric"] == "verdict"
    assert verdict["kind"] in ("gain", "none", "unjudged")
    first = " ".join(done.stdout.split()).lower()
    assert first.startswith(" ".join(verdict["said"].split()).lower()[:40])
    assert "Warning: follow-up has no end." in done.output
    metrics = {row["metric"] for row in rows}
    assert {
        "value",
        "gain",
        "e_value",
        "gamma",
        "overlap_effective",
        "autoc",
        "qini",
        "calibration_slope",
        "c_for_benefit",
        "group_gain",
        "balance_after",
        "heterogeneity_p",
        "number_needed",
    } <= metrics
    text = page.read_text()
    assert text.count("<section") >= 9
    assert "//" not in text[text.index("<body>") :]
    ids = [str(i) for i in range(1, 261) if f">{i}<" in text]
    assert len(ids) < 100, "no list of subjects"
    assert max(len(line) for line in done.output.splitlines()) <= 80
    _check_unadjusted(rows, load_cohort(folder))
    assert "No count under 5, no patient. Read it before you send it." in " ".join(
        done.output.split()
    )
    assert json.loads(shared.read_text())["patients"] == 260


def _check_unadjusted(rows: list[dict], cohort: Cohort) -> None:
    """The figures called unadjusted are differences of the raw shares, to the last digit."""
    assert next(row for row in rows if row["metric"] == "outside")["value"] == 0
    known = cohort.outcome_observed
    share = {
        option.title: cohort.effective[known & (cohort.treatment == k)].astype(float).mean()
        for k, option in enumerate(cohort.study.formulary.treatments)
    }
    unadjusted = [row for row in rows if row["metric"].startswith("unadjusted_against_")]
    assert len(unadjusted) == 2
    for row in unadjusted:
        comparator = row["metric"].removeprefix("unadjusted_against_")
        assert row["value"] == pytest.approx(share[row["model"]] - share[comparator], abs=1e-12)
        assert row["low"] < row["value"] < row["high"]


def test_a_study_without_events_is_refused() -> None:
    done = RUN.invoke(app, ["effect", "clinic"])
    assert isinstance(done.exception, UserError)
    assert "--events is missing" in str(done.exception)
