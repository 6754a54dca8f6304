"""The additive head, fitted before descent."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.learners.network import linear_baseline
from posology.learners.network.linear_baseline import fit_additive_head
from posology.learners.network.supervised import Sizes, Supervised, build_network, fit_decoding
from posology.learners.network.task_heads import init_heads_at_rates
from posology.learners.network.tensors import (
    CohortTensors,
    cohort_to_tensors,
    ensemble_losses,
    iterate_batches,
)
from posology.learners.network.training_loop import Training
from posology.nn.network import Network
from tests.builders.synthetic_iwpc import cohort, with_targets

SIZES = Sizes(16, 8, 16, 1, 2, 0.0, history_summary=True)


@pytest.fixture(scope="module")
def split() -> tuple[Cohort, Cohort]:
    whole = with_targets(cohort(300, 4))
    return select_split(whole, TRAIN), select_split(whole, VALIDATION)


def initial_network(split: tuple[Cohort, Cohort]) -> tuple[Network, CohortTensors, CohortTensors]:
    network = build_network(SIZES, split[0], 0)
    reading = fit_decoding(split[0])
    learn, check = (
        cohort_to_tensors(c, reading, network.config, torch.device("cpu")) for c in split
    )
    init_heads_at_rates(network, learn.targets)
    return network, learn, check


def predictions(network: Network, of: CohortTensors) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        tasks = [network.eval()(batch).tasks for batch, _ in iterate_batches(of)]
    diagnosis = torch.cat([t.diagnosis for t in tasks])[:, 0]
    return diagnosis.double().numpy(), torch.cat([t.progression for t in tasks])[
        :, 0
    ].double().numpy()


def test_the_additive_head_equals_ridge_and_logistic_regression(
    split: tuple[Cohort, Cohort], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear_baseline, "PENALTIES", (30.0,))
    monkeypatch.setattr(linear_baseline, "ITERATIONS", 2000)
    network, learn, check = initial_network(split)
    data = linear_baseline._build_data(learn, network.config.codes)
    dense = np.zeros((len(data.x.starts), len(data.x_t.starts)))
    ends = np.append(data.x.starts[1:], len(data.x.column))
    for row, (start, end) in enumerate(zip(data.x.starts, ends, strict=True)):
        np.add.at(dense[row], data.x.column[start:end], data.x.number[start:end])
    spread = dense.std(0)
    dense = (dense - dense.mean(0))[:, spread > 1e-4] / spread[spread > 1e-4]
    fit_additive_head(network, learn, check)
    diagnosis, course = predictions(network, learn)

    truth = learn.targets.diagnosis[:, 0].numpy()
    seen = ~np.isnan(truth)
    model = LogisticRegression(C=1 / 30, tol=1e-10, max_iter=5000)
    expected = model.fit(dense[seen], truth[seen]).decision_function(dense)
    np.testing.assert_allclose(diagnosis[:, 0], expected, rtol=1e-3, atol=2e-3)
    expected = Ridge(30.0).fit(dense, learn.targets.progression[:, 0].numpy()).predict(dense)
    np.testing.assert_allclose(course[:, 0], expected, rtol=1e-3, atol=2e-3)


def test_every_task_starts_better_than_at_the_training_rates(split: tuple[Cohort, Cohort]) -> None:
    network, learn, check = initial_network(split)
    with torch.no_grad():
        before = ensemble_losses(network.eval(), check)
        fit_additive_head(network, learn, check)
        after = ensemble_losses(network.eval(), check)
    assert all(after[name] < before[name] for name in ("diagnosis", "course", "hazard"))


def test_descent_does_not_change_the_additive_head(split: tuple[Cohort, Cohort]) -> None:
    network, learn, check = initial_network(split)
    fit_additive_head(network, learn, check)
    learned = Supervised(SIZES, Training(1e-2, batch=32, epochs=2, patience=0)).fit(*split)
    assert network.additive_head is not None
    assert learned.network.additive_head is not None
    torch.testing.assert_close(learned.network.additive_head.effect, network.additive_head.effect)
    assert network.additive_head.effect.abs().max() > 0.01
