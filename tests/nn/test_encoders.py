"""Every encoder: no effect of the batch, of the order within a step, or of the future."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from posology.domain.history import History, subset_subjects
from posology.nn.encoders import EncoderName, build_encoder
from posology.nn.network import Network, NetworkConfig
from tests.builders.network_inputs import effectiveness_logits, random_history

NAMES: tuple[EncoderName, ...] = ("gru", "lstm", "transformer", "cnn")
STEPS = [1, 2, 500, 2, 7, 1]
every_encoder = pytest.mark.parametrize("name", NAMES)


def network(name: EncoderName) -> Network:
    torch.manual_seed(0)
    config = NetworkConfig(
        codes=11,
        treatments=3,
        exclusive=True,
        width=8,
        state=8,
        hidden=7,
        members=4,
        encoder=name,
    )
    return Network(config).eval()


def last(h: History) -> tuple[list[int], list[int]]:
    return list(range(len(h.subject_id))), (np.diff(h.step_offsets) - 1).tolist()


def assert_close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=2e-5, atol=2e-5)


@every_encoder
def test_a_batch_equals_one_by_one(name: EncoderName) -> None:
    net, h = network(name), random_history(STEPS)
    subject, step = [*last(h)[0], 2, 2, 2, 4], [*last(h)[1], 0, 1, 255, 3]
    together = effectiveness_logits(net, h, subject, step)
    for row, (i, s) in enumerate(zip(subject, step, strict=True)):
        alone = subset_subjects(h, np.array([i]))
        assert_close(together[row : row + 1], effectiveness_logits(net, alone, [0], [s]))


@every_encoder
def test_the_order_of_the_batch_does_not_matter(name: EncoderName) -> None:
    net, h = network(name), random_history(STEPS)
    order = [5, 2, 0, 4, 1, 3]
    step = (np.diff(h.step_offsets) - 1)[order].tolist()
    assert_close(
        effectiveness_logits(net, h, order, step), effectiveness_logits(net, h, *last(h))[order]
    )


@every_encoder
@pytest.mark.parametrize("seen", [1, 2, 300])
def test_the_future_is_never_read(name: EncoderName, seen: int) -> None:
    net, h = network(name), random_history([500, 3])
    cut = int(h.event_offsets[seen])
    rng = np.random.default_rng(9)
    code, value, time = h.code.copy(), h.value.copy(), h.time.copy()
    code[cut:], value[cut:] = rng.integers(0, 11, len(code) - cut), 1e3
    time[seen:] += 5e3
    changed = replace(h, code=code, value=value, time=time)
    decisions = ([0, 0], [seen - 1, 499])
    before = effectiveness_logits(net, h, *decisions)
    after = effectiveness_logits(net, changed, *decisions)
    assert_close(before[:1], after[:1])
    assert (before[1] - after[1]).abs().max() > 1e-3, "the later decision sees the change"


@every_encoder
def test_order_within_a_step_does_not_matter(name: EncoderName) -> None:
    net, h = network(name), random_history(STEPS)
    step = np.repeat(np.arange(len(h.time)), np.diff(h.event_offsets))
    order = np.lexsort((np.random.default_rng(2).random(len(step)), step))
    shuffled = replace(h, code=h.code[order], value=h.value[order])
    assert_close(
        effectiveness_logits(net, h, *last(h)), effectiveness_logits(net, shuffled, *last(h))
    )


@every_encoder
def test_order_of_steps_and_their_times_matter(name: EncoderName) -> None:
    net, h = network(name), random_history([6])
    turned = replace(h, code=h.code[::-1].copy())
    later = replace(h, time=h.time * np.array([1, 1, 1, 2, 2, 2]))
    for changed in (turned, later):
        assert (
            effectiveness_logits(net, h, [0], [5]) - effectiveness_logits(net, changed, [0], [5])
        ).abs().max() > 1e-5


def test_transformer_scores_depend_on_time_gaps_not_on_positions() -> None:
    from posology.nn.encoders.transformer import _rotate

    rate = network("transformer").encoder.rate
    q, k = torch.randn(2, 1, 2, 4)

    def score(first: float, second: float) -> torch.Tensor:
        turned = [
            _rotate(x, ((t * rate)[None, None].cos(), (t * rate)[None, None].sin()))
            for x, t in ((q, second), (k, first))
        ]
        return (turned[0] * turned[1]).sum(-1)

    torch.testing.assert_close(score(0.0, 30.0), score(400.0, 430.0), rtol=1e-2, atol=1e-3)
    assert (score(0.0, 30.0) - score(0.0, 33.0)).abs().max() > 0.01


def test_an_unknown_encoder_raises() -> None:
    with pytest.raises(ValueError, match="unknown encoder rnn; use gru, lstm"):
        inspect.unwrap(build_encoder)("rnn", 4, 4)


def test_every_encoder_is_a_module() -> None:
    assert all(isinstance(build_encoder(name, 4, 4), nn.Module) for name in NAMES)
