"""What earlier courses came to, against a loop over steps."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from posology.domain.history import History
from posology.domain.profile import Profile
from posology.nn.batch import gather_batch, history_to_tensors
from posology.nn.treatment_history import TreatmentCodes, summarize_treatments
from tests.nn.test_last_observation import CODES, history_of

PAST = TreatmentCodes(option=(-1, 0, 1, -1), outcome=(0,), stopped=(3,))


def _naive(history: History, first: int, last: int) -> np.ndarray:
    sums, taken, level = np.zeros((4, 2)), -1, None
    for step in range(first, last + 1):
        told = slice(history.event_offsets[step], history.event_offsets[step + 1])
        code, value = history.code[told], history.value[told].astype(np.float64)
        numbers = value[(code == 0) & ~np.isnan(value)]
        if len(numbers):
            if level is not None and taken >= 0:
                sums[0, taken] += level - numbers.mean()
            level = numbers.mean()
        if taken >= 0:
            sums[2, taken] += (code == 3).sum()
        begun = max((PAST.option[c] for c in code), default=-1)
        if begun >= 0:
            taken = begun
            sums[1, taken] += 0.0 if level is None else level
            sums[3, taken] += 1
    return np.concatenate([(sums / (sums[3] + 1)).ravel(), np.eye(3)[taken][:2]])


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_courses_are_told_up_to_the_decision_and_no_further(seed: int, subjects: int) -> None:
    history = history_of(seed, subjects)
    profile = Profile(tuple("abcd"), np.zeros(CODES, np.float32), np.ones(CODES, np.float32))
    lengths = np.diff(history.step_offsets)
    subject = np.repeat(np.arange(subjects), lengths)
    last = np.arange(len(history.time))
    kept = np.random.default_rng(seed).random(len(last)) < 0.7
    kept[0] = True
    source = history_to_tensors(history, profile, torch.device("cpu"), track_codes=True)
    batch = gather_batch(source, torch.from_numpy(subject[kept]), torch.from_numpy(last[kept]))
    first = history.step_offsets[subject]
    expected = np.stack([_naive(history, first[d], d) for d in last[kept]])
    np.testing.assert_allclose(summarize_treatments(batch, PAST, 2).numpy(), expected, atol=1e-6)
