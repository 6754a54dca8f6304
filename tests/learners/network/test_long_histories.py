"""Training and prediction with a patient of 10,000 events at 2,000 times."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from posology.cohorts.build import build_cohort
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import Cohort, select_split
from posology.domain.policy import allow_all_treatments
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.nn.encoders import EncoderName
from posology.records.schema import EVENTS
from tests.builders.synthetic_iwpc import TIME_ZERO, events, with_targets

CODES = ("CONDITION//a", "CONDITION//b", "CONDITION//c", "WEIGHT", "HEIGHT")


@pytest.fixture(scope="module")
def long() -> Cohort:
    rng = np.random.default_rng(0)
    rows = [
        {
            "subject_id": 3,
            "time": TIME_ZERO - datetime.timedelta(days=float(day)),
            "code": code,
            "numeric_value": float(rng.normal(100, 20)) if code.endswith("GHT") else None,
            "text_value": None,
            "unit": None,
        }
        for day in np.sort(rng.choice(np.arange(1, 9000), 2000, replace=False))
        for code in CODES
    ]
    table = pa.concat_tables([events(40), pa.Table.from_pylist(rows, schema=EVENTS)])
    cohort = build_cohort(table, read_study("iwpc"), dict.fromkeys(range(1, 41), 0) | {40: 1})
    steps = np.diff(cohort.history.step_offsets)
    assert steps.max() > 2000
    assert len(cohort.history.code) > 10_000
    return cohort


@pytest.mark.parametrize("name", ["gru", "lstm", "transformer", "cnn"])
@pytest.mark.parametrize("last_steps", [0, 64])
def test_a_long_history_trains_and_predicts(
    long: Cohort, name: EncoderName, last_steps: int
) -> None:
    sizes = Sizes(16, 8, 16, 1, 2, 0.0, encoder=name, last_steps=last_steps)
    learner = Supervised(sizes, Training(batch=16, epochs=1))
    policy = learner.fit(select_split(long, 0), select_split(long, 1))
    allowed = allow_all_treatments(long.last_step, policy.formulary)
    p = policy.predict_effectiveness(long.history, long.last_step, allowed)
    assert p.shape == (len(long), 3, 2)
    assert np.isfinite(p).all()


@pytest.mark.parametrize("last_steps", [0, 64])
def test_the_additive_head_predicts_from_a_long_history(long: Cohort, last_steps: int) -> None:
    """The last value, the count and the mean of a code with 2,000 events."""
    sizes = Sizes(16, 8, 16, 1, 2, 0.0, last_steps=last_steps, history_summary=True)
    targets = with_targets(long)
    policy = Supervised(sizes, Training(batch=16, epochs=1)).fit(
        select_split(targets, 0), select_split(targets, 1)
    )
    predicted = policy.predict_outcomes(long.history, long.last_step)
    assert predicted.diagnosis.shape == (len(long), 2, 2)
    assert np.isfinite(predicted.diagnosis).all()
    assert np.isfinite(predicted.progression).all()
    assert np.isfinite(predicted.survival).all()
