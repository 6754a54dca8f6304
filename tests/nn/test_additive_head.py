"""The additive head equals a plain loop over events."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from posology.domain.history import History
from posology.nn.additive_head import AdditiveHead
from posology.nn.batch import history_to_tensors
from tests.builders.network_inputs import (
    CPU,
    FEW_CODES,
    batch_of_last_steps,
    history_with_gaps,
    unit_profile,
)

WIDTH = 3


def _values(history: History, step: int, code: int) -> np.ndarray:
    rows = slice(history.event_offsets[step], history.event_offsets[step + 1])
    return history.value[rows][history.code[rows] == code].astype(np.float64)


def _naive(head: AdditiveHead, history: History, first: int, last: int) -> np.ndarray:
    E, V, N, M = head.effect.detach().double().numpy()
    out = np.zeros(WIDTH)
    for code in range(FEW_CODES):
        every = [_values(history, step, code) for step in range(first, last + 1)]
        present = [at for at, values in enumerate(every) if len(values)]
        if not present:
            continue
        values = np.concatenate(every[: present[-1] + 1])
        mean = np.nanmean(values) if (~np.isnan(values)).any() else 0.0
        for value in every[present[-1]]:
            out += E[code] + np.nan_to_num(value) * V[code]
            out += np.log1p(len(values)) * N[code] + mean * M[code]
    return out


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_a_code_counts_by_its_last_value_its_count_and_its_mean(seed: int, subjects: int) -> None:
    history = history_with_gaps(seed, subjects)
    head = AdditiveHead(FEW_CODES, WIDTH)
    rng = torch.Generator().manual_seed(seed)
    head.gap.data = torch.randn(head.gap.shape, generator=rng)
    head.effect.data = torch.randn(head.effect.shape, generator=rng)
    first = np.repeat(history.step_offsets[:-1], np.diff(history.step_offsets))
    last = np.arange(len(history.time))
    expected = np.stack([_naive(head, history, first[d], d) for d in last])
    gap = history_to_tensors(history, unit_profile(FEW_CODES), CPU).gap.double().numpy()
    expected += gap @ head.gap.detach().double().numpy()
    predicted = head(batch_of_last_steps(history, last)).detach().numpy()
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)
