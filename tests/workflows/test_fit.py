"""Any method fits a policy from a cohort; the result can be saved, shown and tabulated."""

from dataclasses import replace
from pathlib import Path

import pytest

from posology import artifact
from posology.domain.policy import Policy
from posology.errors import UserError
from posology.learners import recipes
from posology.workflows.fit import NetworkSettings, fit
from tests.builders.policies import iwpc_cohort
from tests.builders.small_recipes import small_recipe, use_members


def test_the_network_reports_each_epoch_and_keeps_its_learning_curves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        recipes, "recipe_for_cohort", lambda train, seed=0, device="cpu": small_recipe(seed)
    )
    use_members(monkeypatch)
    messages: list[str] = []
    result = fit(
        iwpc_cohort(), progress=lambda message, done=0, total=None: messages.append(message)
    )
    assert isinstance(result.policy, Policy)
    assert sum(m.startswith("first phase: supervised: validation") for m in messages) == 3
    phases = {row["phase"] for row in result.rows if "phase" in row}
    assert phases == {"supervised", "reinforcement"}
    assert [phase for phase, _ in result.evidence["learning"]] == [
        "first phase: supervised",
        "second phase: reinforcement",
    ]
    assert "first phase: supervised: 3 epochs, validation" in result.summary()


def test_a_classical_method_needs_no_settings(tmp_path: Path) -> None:
    result = fit(iwpc_cohort(), method="logistic")
    result.save(tmp_path / "model")
    loaded = artifact.load(tmp_path / "model")
    assert type(loaded.policy) is type(result.policy)
    assert loaded.evidence["method"] == "logistic"
    assert result.to_frame().num_rows == 0


def test_the_cohorts_warnings_are_shown_and_kept(tmp_path: Path) -> None:
    warned = replace(iwpc_cohort(), warnings=("nobody is followed to the window's end.",))
    result = fit(warned, method="logistic")
    assert "Warning: nobody is followed to the window's end." in result.summary()
    result.save(tmp_path / "model")
    assert artifact.load(tmp_path / "model").evidence["warnings"] == list(warned.warnings)


def test_an_unknown_method_and_a_setting_of_another_method_are_refused() -> None:
    with pytest.raises(UserError, match="--method magic: is unknown; choose one of network,"):
        fit(iwpc_cohort(), method="magic")
    with pytest.raises(UserError, match="--method logistic: --recipe, --resume"):
        fit(iwpc_cohort(), method="logistic", settings=NetworkSettings(recipe="paper"))
