"""Results of earlier courses of treatment equal a plain loop over steps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from posology.domain.history import History
from posology.nn.treatment_history import TreatmentCodes, summarize_treatments
from tests.builders.network_inputs import batch_of_last_steps, history_with_gaps

CODES = TreatmentCodes(option=(-1, 0, 1, -1), outcome=(0,), stopped=(3,))


def _naive(history: History, first: int, last: int) -> np.ndarray:
    sums, current, level = np.zeros((4, 2)), -1, None
    for step in range(first, last + 1):
        events = slice(history.event_offsets[step], history.event_offsets[step + 1])
        code, value = history.code[events], history.value[events].astype(np.float64)
        numbers = value[(code == 0) & ~np.isnan(value)]
        if len(numbers):
            if level is not None and current >= 0:
                sums[0, current] += level - numbers.mean()
            level = numbers.mean()
        if current >= 0:
            sums[2, current] += (code == 3).sum()
        started = max((CODES.option[c] for c in code), default=-1)
        if started >= 0:
            current = started
            sums[1, current] += 0.0 if level is None else level
            sums[3, current] += 1
    return np.concatenate([(sums / (sums[3] + 1)).ravel(), np.eye(3)[current][:2]])


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_courses_are_summarized_up_to_the_decision_only(seed: int, subjects: int) -> None:
    history = history_with_gaps(seed, subjects)
    first = np.repeat(history.step_offsets[:-1], np.diff(history.step_offsets))
    last = np.arange(len(history.time))
    chosen = np.random.default_rng(seed).random(len(last)) < 0.7
    chosen[0] = True
    last = last[chosen]
    expected = np.stack([_naive(history, first[d], d) for d in last])
    summary = summarize_treatments(batch_of_last_steps(history, last), CODES, 2).numpy()
    np.testing.assert_allclose(summary, expected, atol=1e-6)
