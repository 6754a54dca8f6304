"""What is to come as a sum of what is known, against a loop over events."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.history import History
from posology.domain.profile import Profile
from posology.nn.additive_head import AdditiveHead
from posology.nn.batch import gather_batch, history_to_tensors
from tests.nn.test_last_observation import CODES, WIDTH, history_of


def _told(history: History, step: int, code: int) -> np.ndarray:
    rows = slice(history.event_offsets[step], history.event_offsets[step + 1])
    return history.value[rows][history.code[rows] == code].astype(np.float64)


def _naive(asked: AdditiveHead, history: History, first: int, last: int) -> np.ndarray:
    E, V, N, M = asked.effect.detach().double().numpy()
    out = np.zeros(WIDTH)
    for code in range(CODES):
        every = [_told(history, step, code) for step in range(first, last + 1)]
        there = [at for at, values in enumerate(every) if len(values)]
        if not there:
            continue
        values = np.concatenate(every[: there[-1] + 1])
        mean = np.nanmean(values) if (~np.isnan(values)).any() else 0.0
        for value in every[there[-1]]:
            out += E[code] + np.nan_to_num(value) * V[code]
            out += np.log1p(len(values)) * N[code] + mean * M[code]
    return out


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_each_code_counts_by_its_last_number_and_its_mean_so_far(seed: int, subjects: int) -> None:
    history = history_of(seed, subjects)
    profile = Profile(tuple("abcd"), np.zeros(CODES, np.float32), np.ones(CODES, np.float32))
    asked = AdditiveHead(CODES, WIDTH)
    rng = torch.Generator().manual_seed(seed)
    asked.gap.data = torch.randn(asked.gap.shape, generator=rng)
    asked.effect.data = torch.randn(asked.effect.shape, generator=rng)
    subject = np.repeat(np.arange(subjects), np.diff(history.step_offsets))
    last = np.arange(len(history.time))
    source = history_to_tensors(history, profile, torch.device("cpu"), track_codes=True)
    batch = gather_batch(source, torch.from_numpy(subject), torch.from_numpy(last))
    expected = np.stack([_naive(asked, history, history.step_offsets[subject[d]], d) for d in last])
    expected += source.gap.double().numpy() @ asked.gap.detach().double().numpy()
    np.testing.assert_allclose(asked(batch).detach().numpy(), expected, rtol=1e-4, atol=1e-5)
