"""What is last known, against a loop over events."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from posology.domain.history import History, offsets
from posology.domain.profile import Profile
from posology.nn.batch import gather, resident
from posology.nn.known import DECADE, FADES, LastKnown, columns

CODES, WIDTH = 4, 3


def _history(seed: int, subjects: int) -> History:
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


def _naive(known: LastKnown, history: History, first: int, last: int) -> np.ndarray:
    dated = history.time[first : last + 1]
    start = dated[~np.isnan(dated)][0] if (~np.isnan(dated)).any() else 0.0

    def day(step: int) -> float:
        return 0.0 if np.isnan(history.time[step]) else history.time[step] - start

    out = np.zeros(WIDTH)
    E, V, S, L = (p.detach().double().numpy() for p in known.parameters())
    for code in range(CODES):
        for step in range(last, first - 1, -1):
            told = slice(history.event_offsets[step], history.event_offsets[step + 1])
            values = history.value[told][history.code[told] == code].astype(np.float64)
            if len(values):
                age = day(last) - day(step)
                out += len(values) * (E[code] + np.exp(-age / FADES) * S[code])
                out += len(values) * age / DECADE * L[code]
                out += np.nan_to_num(values).sum() * V[code]
                break
    return out


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_the_last_event_of_every_code_counts_and_no_other(seed: int, subjects: int) -> None:
    history = _history(seed, subjects)
    profile = Profile(tuple("abcd"), np.zeros(CODES, np.float32), np.ones(CODES, np.float32))
    known = LastKnown(CODES, WIDTH)
    rng = torch.Generator().manual_seed(seed)
    for parameter in known.parameters():
        parameter.data = torch.randn(parameter.shape, generator=rng)
    lengths = np.diff(history.step_offsets)
    subject = np.repeat(np.arange(subjects), lengths)
    last = np.arange(len(history.time))
    kept = np.random.default_rng(seed).random(len(last)) < 0.7
    kept[0] = True
    source = resident(history, profile, torch.device("cpu"), carried=True)
    batch = gather(source, torch.from_numpy(subject[kept]), torch.from_numpy(last[kept]))
    first = history.step_offsets[subject]
    expected = np.stack([_naive(known, history, first[d], d) for d in last[kept]])
    np.testing.assert_allclose(known(batch).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
    weighed = columns(batch, CODES) @ torch.cat([p.detach().double() for p in known.parameters()])
    np.testing.assert_allclose(weighed.numpy(), expected, rtol=1e-4, atol=1e-5)
