"""What is last known, against a loop over events."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from posology.domain.history import History, offsets
from posology.domain.profile import Profile
from posology.nn.batch import gather_batch, history_to_tensors
from posology.nn.last_observation import (
    DECADE_DAYS,
    DECAY_DAYS,
    LastObservationEffects,
    last_observation_columns,
)

CODES, WIDTH = 4, 3


def history_of(seed: int, subjects: int) -> History:
    rng = np.random.default_rng(seed)
    steps = rng.integers(1, 7, subjects)
    events = rng.integers(0, 5, steps.sum())
    time = np.concatenate([np.append(np.nan, np.sort(rng.uniform(0, 900, n - 1))) for n in steps])
    count = int(events.sum())
    value = np.where(rng.random(count) < 0.3, np.nan, rng.normal(size=count))
    return History(
        code=rng.integers(0, CODES, count).astype(np.int32),
        value=value.astype(np.float32),
        event_offsets=offsets(events.astype(np.int64)),
        time=time,
        step_offsets=offsets(steps.astype(np.int64)),
        subject_id=np.arange(subjects, dtype=np.int64),
    )


def day_of(history: History, first: int, at: int) -> float:
    """Days since the first dated step of a subject whose steps begin at first."""
    known = history.time[first : at + 1]
    dated = known[~np.isnan(known)]
    return 0.0 if np.isnan(history.time[at]) else float(history.time[at] - dated[0])


def left_of_news(history: History, first: int, step: int, last: int) -> float:
    """What is left of news of a step at the last one."""
    days = day_of(history, first, last) - day_of(history, first, step)
    return float(np.exp(-days / DECAY_DAYS))


def _naive(known: LastObservationEffects, history: History, first: int, last: int) -> np.ndarray:
    out = np.zeros(WIDTH)
    E, V, S, L = (p.detach().double().numpy() for p in known.parameters())
    for code in range(CODES):
        for step in range(last, first - 1, -1):
            told = slice(history.event_offsets[step], history.event_offsets[step + 1])
            values = history.value[told][history.code[told] == code].astype(np.float64)
            if len(values):
                age = day_of(history, first, last) - day_of(history, first, step)
                faded = left_of_news(history, first, step, last)
                out += len(values) * (E[code] + faded * S[code] + age / DECADE_DAYS * L[code])
                out += np.nan_to_num(values).sum() * V[code]
                break
    return out


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_last_event_of_every_code_counts_and_no_other(seed: int, subjects: int) -> None:
    history = history_of(seed, subjects)
    profile = Profile(tuple("abcd"), np.zeros(CODES, np.float32), np.ones(CODES, np.float32))
    known = LastObservationEffects(CODES, WIDTH)
    rng = torch.Generator().manual_seed(seed)
    for parameter in known.parameters():
        parameter.data = torch.randn(parameter.shape, generator=rng)
    lengths = np.diff(history.step_offsets)
    subject = np.repeat(np.arange(subjects), lengths)
    last = np.arange(len(history.time))
    kept = np.random.default_rng(seed).random(len(last)) < 0.7
    kept[0] = True
    source = history_to_tensors(history, profile, torch.device("cpu"), track_codes=True)
    batch = gather_batch(source, torch.from_numpy(subject[kept]), torch.from_numpy(last[kept]))
    first = history.step_offsets[subject]
    expected = np.stack([_naive(known, history, first[d], d) for d in last[kept]])
    np.testing.assert_allclose(known(batch).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    weighed = last_observation_columns(batch, CODES) @ torch.cat(
        [p.detach().double() for p in known.parameters()]
    )
    np.testing.assert_allclose(weighed.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_news_of_a_long_life_fades_as_news_of_a_short_one() -> None:
    """A birth that is dated is 70 years of half years: exp of that has no digits to spare."""
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
    profile = Profile(tuple("abcd"), np.zeros(CODES, np.float32), np.ones(CODES, np.float32))
    known = LastObservationEffects(CODES, WIDTH)
    known.recent.data = torch.randn(known.recent.shape, generator=torch.Generator().manual_seed(0))
    source = history_to_tensors(history, profile, torch.device("cpu"), track_codes=True)
    batch = gather_batch(source, torch.arange(3), torch.tensor([3, 7, 11]))
    said = known(batch)
    expected = np.stack([_naive(known, history, at, at + 3) for at in (0, 4, 8)])
    np.testing.assert_allclose(said.detach().numpy(), expected, rtol=1e-4)
    weighed = last_observation_columns(batch, CODES) @ torch.cat(
        [p.detach().double() for p in known.parameters()]
    )
    np.testing.assert_allclose(weighed.numpy(), expected, rtol=1e-4)
    said.sum().backward()
    assert known.recent.grad is not None
    assert known.recent.grad.abs().max() < 10
