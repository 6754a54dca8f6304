"""Predictions of small networks from fixed weights equal those stored in `frozen_predictions.json`.

The initial weights are sines and no dropout is used, so that no random numbers of torch enter; the
tolerance leaves room for the rounding of other versions and machines. After an intended change of
behaviour, `python -m tests.learners.network.test_frozen_predictions` rewrites the file.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import allow_all_treatments
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised, build_network, run_to_end
from posology.learners.network.training_loop import Training
from posology.nn.encoders import EncoderName
from tests.builders.policies import with_option_doses
from tests.builders.synthetic_iwpc import cohort, with_targets

STORED = Path(__file__).with_name("frozen_predictions.json")
TOLERANCE = 1e-4
"""Relative and absolute. Changing every initial weight by 1e-6, ten times the rounding of single
precision, changes no prediction by more than 2e-7."""

SIZES = Sizes(16, 8, 16, 1, 4, 0.0)
UNTRAINED = Training(batch=16, epochs=1, learning_rate=0.0, patience=0)
TRAINED = Training(batch=16, epochs=3, cosine=True, weight_decay=0.1, patience=0)

Predictions = dict[str, np.ndarray]


def sine_weights(sizes: Sizes, train: Cohort, noise: float = 0.0) -> dict[str, Tensor]:
    """Initial weights without random numbers; noise: relative perturbation of each."""
    rng = np.random.default_rng(0)
    weights = {}
    for index, (name, old) in enumerate(build_network(sizes, train, 0).state_dict().items()):
        values = 0.3 * np.sin(1.7 * np.arange(old.numel()) + index)
        values *= 1 + noise * rng.uniform(-1, 1, len(values))
        weights[name] = torch.from_numpy(values.astype(np.float32)).view(old.shape)
    return weights


def fit(sizes: Sizes, training: Training, whole: Cohort, noise: float) -> NetworkPolicy:
    train, validation = select_split(whole, TRAIN), select_split(whole, VALIDATION)
    weights = sine_weights(sizes, train, noise)
    return run_to_end(Supervised(sizes, training).fit_epochs(train, validation, None, weights))


def predict(policy: NetworkPolicy, whole: Cohort) -> Predictions:
    decisions = whole.last_step[::25]
    allowed = allow_all_treatments(decisions, policy.formulary)
    doses = policy.predict_doses(whole.history, decisions, allowed)
    outcomes = policy.predict_outcomes(whole.history, decisions)
    return {
        "effectiveness": policy.predict_effectiveness(whole.history, decisions, allowed).mean(2),
        "probabilities": policy.choice_probabilities(whole.history, decisions, allowed),
        "dose": doses.overall.mean(1),
        "dose_by_treatment": doses.by_treatment,
        "diagnosis": outcomes.diagnosis.mean(2),
        "progression": outcomes.progression.mean(2),
        "survival": outcomes.survival.mean(3),
    }


def untrained(encoder: EncoderName, noise: float) -> Predictions:
    """An encoder and the heads on histories of several steps."""
    whole = cohort(120, 6)
    return predict(fit(replace(SIZES, encoder=encoder), UNTRAINED, whole, noise), whole)


def supervised(noise: float) -> Predictions:
    whole = cohort(120, 6)
    return predict(fit(SIZES, TRAINED, whole, noise), whole)


def reinforced(noise: float) -> Predictions:
    """The reinforcement phase; its temperature is set, since here the gain is too uncertain."""
    whole = cohort(120, 6)
    first = fit(SIZES, TRAINED, whole, noise)
    second = Reinforcement(replace(TRAINED, epochs=2, learning_rate=3e-4))
    policy = second.fit(first, select_split(whole, TRAIN), select_split(whole, VALIDATION))
    decoding = replace(policy.decoding, temperature=0.3, pessimism=0.5)
    return predict(replace(policy, decoding=decoding), whole)


def tasks(noise: float) -> Predictions:
    """Diagnosis, progression and time to event, with the additive head and the history summary."""
    whole = with_targets(cohort(120, 6))
    return predict(fit(replace(SIZES, history_summary=True), TRAINED, whole, noise), whole)


def dose_levels(noise: float) -> Predictions:
    """Treatments at doses of their own, with effects solved in closed form."""
    whole = with_option_doses(cohort(120, 6))
    return predict(fit(SIZES, TRAINED, whole, noise), whole)


CASES: dict[str, Callable[[float], Predictions]] = {
    "gru": lambda noise: untrained("gru", noise),
    "lstm": lambda noise: untrained("lstm", noise),
    "transformer": lambda noise: untrained("transformer", noise),
    "cnn": lambda noise: untrained("cnn", noise),
    "supervised": supervised,
    "reinforced": reinforced,
    "tasks": tasks,
    "dose_levels": dose_levels,
}


def assert_as_stored(predictions: Predictions, name: str, tolerance: float = TOLERANCE) -> None:
    stored = json.loads(STORED.read_text())[name]
    for output, values in predictions.items():
        expected = np.array(stored[output], dtype=np.float64).reshape(values.shape)
        np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", CASES)
def test_predictions_equal_the_stored_ones(name: str) -> None:
    assert_as_stored(CASES[name](0.0), name)


def test_the_stored_predictions_notice_a_change() -> None:
    whole = cohort(120, 6)
    changed = {
        "lstm": predict(fit(SIZES, UNTRAINED, whole, 0.0), whole),
        "supervised": predict(fit(SIZES, replace(TRAINED, weight_decay=2.0), whole, 0.0), whole),
    }
    for name, predictions in changed.items():
        with pytest.raises(AssertionError):
            assert_as_stored(predictions, name)


if __name__ == "__main__":
    torch.set_num_threads(1)
    body = {
        name: {
            output: [None if np.isnan(v) else float(f"{v:.7g}") for v in values.ravel()]
            for output, values in case(0.0).items()
        }
        for name, case in CASES.items()
    }
    STORED.write_text(json.dumps(body) + "\n")
