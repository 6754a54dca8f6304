"""Losses of the tasks against plain loops, and identities between them."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from posology.learners.network import losses

seeds = st.integers(0, 10**6)


def holes(rng: np.random.Generator, truth: np.ndarray) -> torch.Tensor:
    truth = truth.astype(np.float32)
    truth[rng.random(truth.shape) < 0.3] = np.nan
    return torch.from_numpy(truth)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_diagnosis_equals_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(size=(5, 2, 3)).astype(np.float32))
    truth = holes(rng, rng.integers(0, 2, (5, 3)))
    terms = []
    for d in range(5):
        for c in range(3):
            for m in range(2):
                if not math.isnan(truth[d, c]):
                    p = 1 / (1 + math.exp(-float(logits[d, m, c])))
                    terms.append(-math.log(p if truth[d, c] == 1 else 1 - p))
    expected = np.mean(terms) if terms else 0.0
    np.testing.assert_allclose(
        float(losses.diagnosis(logits, truth, torch.ones_like(truth))), expected, rtol=1e-5
    )


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_progression_equals_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    predicted = torch.from_numpy(rng.normal(size=(5, 2, 3)).astype(np.float32))
    truth = holes(rng, rng.normal(size=(5, 3)))
    terms = [
        float(predicted[d, m, c] - truth[d, c]) ** 2
        for d in range(5)
        for c in range(3)
        for m in range(2)
        if not math.isnan(truth[d, c])
    ]
    expected = np.mean(terms) if terms else 0.0
    np.testing.assert_allclose(float(losses.progression(predicted, truth)), expected, rtol=1e-5)


def followed(rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    logits = torch.from_numpy(rng.normal(size=(6, 2, 2, 4)).astype(np.float32))
    survived = rng.integers(-1, 5, (6, 2)).astype(np.float32)
    happened = (rng.random((6, 2)) < 0.5) & (survived >= 0) & (survived < 4)
    survived[(survived >= 0) & (survived < 4) & ~happened] += 0.25
    return logits, torch.from_numpy(survived), torch.from_numpy(happened)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_hazard_equals_a_plain_loop(seed: int) -> None:
    logits, survived, happened = followed(np.random.default_rng(seed))
    terms = []
    for d in range(6):
        for m in range(2):
            for k in range(2):
                through = int(survived[d, k])
                if through < 0:
                    continue
                h = [1 / (1 + math.exp(-float(x))) for x in logits[d, m, k]]
                likelihood = math.prod(1 - x for x in h[:through])
                likelihood *= h[through] if happened[d, k] else 1.0
                likelihood *= (1 - h[through]) ** 0.25 if through < 4 and not happened[d, k] else 1
                terms.append(-math.log(likelihood))
    expected = np.mean(terms) if terms else 0.0
    loss = float(losses.hazard(logits, survived, happened))
    np.testing.assert_allclose(loss, expected, rtol=1e-4, atol=1e-6)


def test_a_hazard_of_one_interval_is_a_diagnosis() -> None:
    logits = torch.randn(7, 3, 2)
    happened = torch.rand(7, 2) < 0.5
    one = losses.hazard(logits[..., None], (~happened).float(), happened)
    torch.testing.assert_close(one, losses.diagnosis(logits, happened.float(), torch.ones(7, 2)))


def test_survival_is_the_likelihood_of_those_without_an_event() -> None:
    logits = torch.randn(1, 1, 1, 5)
    for through in range(1, 6):
        loss = losses.hazard(logits, torch.tensor([[float(through)]]), torch.tensor([[False]]))
        torch.testing.assert_close(
            torch.exp(-loss), losses.survival(logits)[0, 0, 0, through - 1], rtol=1e-5, atol=1e-6
        )


def test_probabilities_of_every_ending_sum_to_one() -> None:
    logits = torch.randn(1, 1, 1, 5)
    endings = [(k, True) for k in range(5)] + [(5, False)]
    total = sum(
        math.exp(-float(losses.hazard(logits, torch.tensor([[float(k)]]), torch.tensor([[e]]))))
        for k, e in endings
    )
    assert math.isclose(total, 1.0, rel_tol=1e-5)


def test_losses_without_labels_are_0_and_have_a_gradient() -> None:
    logits = torch.randn(3, 2, 4, requires_grad=True)
    nothing = torch.full((3, 4), torch.nan)
    for loss in (losses.diagnosis(logits, nothing, nothing), losses.progression(logits, nothing)):
        assert float(loss.detach()) == 0.0
        loss.backward()
    unknown = torch.full((3, 2), -1.0)
    assert float(losses.hazard(torch.randn(3, 2, 2, 4), unknown, unknown > 0)) == 0.0


def test_the_mean_loss_is_smallest_at_the_truth() -> None:
    truth = torch.tensor([[1.0, 0.0]])
    right = losses.diagnosis(torch.tensor([[[9.0, -9.0]]]), truth, torch.ones(1, 2))
    wrong = losses.diagnosis(torch.tensor([[[-9.0, 9.0]]]), truth, torch.ones(1, 2))
    assert right < 0.01 < F.softplus(torch.tensor(8.0)) < wrong


def test_a_diagnosis_that_stands_for_two_counts_twice() -> None:
    logits, truth = torch.randn(3, 2, 1), torch.tensor([[1.0], [0.0], [torch.nan]])
    twice = losses.diagnosis(logits, truth, torch.tensor([[2.0], [1.0], [9.0]]))
    rows = torch.tensor([0, 0, 1])
    same = losses.diagnosis(logits[rows], truth[rows], torch.ones(3, 1))
    torch.testing.assert_close(twice, same)


def test_hazards_are_those_of_nobody_leaving() -> None:
    """A fifth have the event, nine in ten leave before the end; whole intervals said 0.222."""
    rng = np.random.default_rng(0)
    event = rng.exponential(1.0, 40_000) / -np.log(0.8)
    leave = np.minimum(rng.exponential(1.0, 40_000) / -np.log(0.1), 1.0)
    happened, days = event <= leave, 12 * np.minimum(event, leave)
    survived = torch.from_numpy(np.where(happened, np.ceil(days) - 1, days)[:, None])
    logit = torch.full((1, 1, 1, 12), -4.0, dtype=torch.float64)
    for _ in range(8):
        logit.requires_grad_()
        all_alike = logit.expand(len(event), 1, 1, 12)
        loss = losses.hazard_nll(all_alike, survived, torch.from_numpy(happened[:, None])).sum()
        (slope,) = torch.autograd.grad(loss, logit, create_graph=True)
        (curve,) = torch.autograd.grad(slope.sum(), logit)
        logit = (logit - slope / curve).detach()
    assert abs(1 - float(losses.survival(logit)[..., -1]) - 0.2) < 0.008
