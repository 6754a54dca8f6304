"""Policies saved by the code before its names changed (format 1) open and predict the same.

`tests/fixtures/format1` holds one small policy of every kind. That code saved each, and wrote its
predictions for a few patients to `answers.npz` next to it.
"""

from pathlib import Path

import numpy as np
import pytest

from posology import artifact
from posology.artifact_keys import Keys, weight_name
from posology.domain.history import History
from posology.domain.policy import OutcomePredictor, Policy

FOLDERS = sorted((Path(__file__).parent / "fixtures" / "format1").iterdir())
TOLERANCE = dict.fromkeys(("NetworkPolicy", "EffectDosePolicy", "RecentWindowPolicy"), 1e-6)
"""Of the kinds that torch computes, which rounds by the processor; the others are numpy."""

every_saved_policy = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def predictions(policy: Policy, saved: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    history = History(
        saved["code"],
        saved["value"],
        saved["event_offsets"],
        saved["time"],
        saved["step_offsets"],
        saved["subject_id"],
    )
    decisions, allowed = saved["decisions"], saved["allowed"]
    dose = policy.predict_doses(history, decisions, allowed)
    result = {
        "effectiveness": policy.predict_effectiveness(history, decisions, allowed),
        "probabilities": policy.choice_probabilities(history, decisions, allowed),
        "dose_by_treatment": dose.by_treatment,
        "dose_overall": dose.overall,
    }
    if isinstance(policy, OutcomePredictor):
        prediction = policy.predict_outcomes(history, decisions)
        result["predicted_diagnosis"] = prediction.diagnosis
        result["predicted_progression"] = prediction.progression
        result["predicted_progression_error"] = prediction.progression_error
        result["predicted_survival"] = prediction.survival
    return result


@every_saved_policy
def test_a_policy_of_format_1_predicts_the_same(folder: Path) -> None:
    policy = artifact.load(folder).policy
    with np.load(folder / "answers.npz", allow_pickle=False) as file:
        saved = dict(file)
    expected = {
        name.removeprefix("answer_"): values
        for name, values in saved.items()
        if name.startswith("answer_")
    }
    predicted = predictions(policy, saved)
    tolerance = TOLERANCE.get(type(policy).__name__, 1e-12)
    assert predicted.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(
            predicted[name], values, rtol=tolerance, atol=tolerance, err_msg=name
        )


@every_saved_policy
def test_a_policy_of_format_1_is_the_same_once_saved_in_the_format_of_today(
    folder: Path, tmp_path: Path
) -> None:
    old = artifact.load(folder)
    artifact.save(old.policy, old.study, old.evidence, tmp_path / "model")
    new = artifact.load(tmp_path / "model")
    assert new.study == old.study
    assert new.evidence == {"made": "before the names changed", "metrics": {"accuracy": 0.5}}
    assert new.policy.profile.codes == old.policy.profile.codes
    with np.load(folder / "answers.npz", allow_pickle=False) as file:
        saved = dict(file)
    before, after = predictions(old.policy, saved), predictions(new.policy, saved)
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values, err_msg=name)


def test_every_part_of_a_study_of_format_1_is_read() -> None:
    study = artifact.load(next(f for f in FOLDERS if f.name == "order")).study
    text = repr(study)
    for value in ("DRUG//x", "HEART_RATE", "CREATININE", "0.95", "12000.0", "'failure'"):
        assert value in text


def test_the_longest_prefix_of_a_weight_is_replaced() -> None:
    keys = Keys({}, {}, {"a.": "b.", "a.past.": "c.present."})
    names = ["a.weight", "a.past.weight", "other.a.weight"]
    assert [weight_name(name, keys) for name in names] == [
        "b.weight",
        "c.present.weight",
        "other.a.weight",
    ]
