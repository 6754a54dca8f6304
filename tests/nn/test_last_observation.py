"""Sums over the last event of every code equal a plain loop over events."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from posology.domain.history import History
from posology.nn.last_observation import (
    DECADE_DAYS,
    DECAY_DAYS,
    LastObservationEffects,
    last_observation_columns,
)
from tests.builders.network_inputs import FEW_CODES, batch_of_last_steps, history_with_gaps

WIDTH = 3


def _day(history: History, first: int, at: int) -> float:
    """Days since the first dated step of a subject whose steps begin at first."""
    times = history.time[first : at + 1]
    dated = times[~np.isnan(times)]
    return 0.0 if np.isnan(history.time[at]) else float(history.time[at] - dated[0])


def _naive(effects: LastObservationEffects, history: History, first: int, last: int) -> np.ndarray:
    out = np.zeros(WIDTH)
    E, V, S, L = (p.detach().double().numpy() for p in effects.parameters())
    for code in range(FEW_CODES):
        for step in range(last, first - 1, -1):
            events = slice(history.event_offsets[step], history.event_offsets[step + 1])
            values = history.value[events][history.code[events] == code].astype(np.float64)
            if len(values):
                age = _day(history, first, last) - _day(history, first, step)
                decay = float(np.exp(-age / DECAY_DAYS))
                out += len(values) * (E[code] + decay * S[code] + age / DECADE_DAYS * L[code])
                out += np.nan_to_num(values).sum() * V[code]
                break
    return out


def _weighted_columns(batch, effects: LastObservationEffects) -> np.ndarray:
    weights = torch.cat([p.detach().double() for p in effects.parameters()])
    return (last_observation_columns(batch, FEW_CODES) @ weights).numpy()


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_only_the_last_event_of_every_code_counts(seed: int, subjects: int) -> None:
    history = history_with_gaps(seed, subjects)
    effects = LastObservationEffects(FEW_CODES, WIDTH)
    rng = torch.Generator().manual_seed(seed)
    for parameter in effects.parameters():
        parameter.data = torch.randn(parameter.shape, generator=rng)
    first = np.repeat(history.step_offsets[:-1], np.diff(history.step_offsets))
    last = np.arange(len(history.time))
    chosen = np.random.default_rng(seed).random(len(last)) < 0.7
    chosen[0] = True
    last = last[chosen]
    batch = batch_of_last_steps(history, last)
    expected = np.stack([_naive(effects, history, first[d], d) for d in last])
    np.testing.assert_allclose(effects(batch).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(_weighted_columns(batch, effects), expected, rtol=1e-4, atol=1e-5)


def test_recency_keeps_its_precision_over_a_lifetime() -> None:
    """A dated birth 70 years ago is 140 time constants: exp of that would lose every digit."""
    lives = []
    for years in (70.0, 30.0, 1.0):
        day = 365.25 * years
        lives.append(np.array([0.0, day - 400.0, day - 100.0, day]))
    history = History(
        code=np.tile(np.array([0, 1, 2, 1], np.int32), 3),
        value=np.full(12, np.nan, np.float32),
        event_offsets=np.arange(13),
        time=np.concatenate(lives),
        step_offsets=np.array([0, 4, 8, 12]),
        subject_id=np.arange(3),
    )
    effects = LastObservationEffects(FEW_CODES, WIDTH)
    rng = torch.Generator().manual_seed(0)
    effects.recent.data = torch.randn(effects.recent.shape, generator=rng)
    batch = batch_of_last_steps(history, np.array([3, 7, 11]))
    predicted = effects(batch)
    expected = np.stack([_naive(effects, history, at, at + 3) for at in (0, 4, 8)])
    np.testing.assert_allclose(predicted.detach().numpy(), expected, rtol=1e-4)
    np.testing.assert_allclose(_weighted_columns(batch, effects), expected, rtol=1e-4)
    predicted.sum().backward()
    assert effects.recent.grad is not None
    assert effects.recent.grad.abs().max() < 10
