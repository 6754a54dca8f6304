"""Questions about one patient, answered by a loop, equal those about many, answered by arrays."""

import numpy as np
import pytest

from posology.domain.history import code_finder, has_code, latest_value
from tests.builders.network_inputs import random_history


@pytest.mark.parametrize("steps", [3, 900])
def test_one_patient_is_answered_as_among_others(steps: int) -> None:
    history = random_history([2, steps, 5], seed=steps)
    last = history.step_offsets[1:] - 1
    wanted = [frozenset({code}) for code in range(12)] + [frozenset({1, 4, 9}), frozenset()]
    for codes in wanted:
        present, number = has_code(history, last, codes), latest_value(history, last, codes)
        for row in range(len(last)):
            alone = last[row : row + 1]
            assert has_code(history, alone, codes) == present[row]
            assert code_finder(history, alone)(codes) == present[row]
            np.testing.assert_array_equal(latest_value(history, alone, codes), number[[row]])
    events = np.diff(history.event_offsets[history.step_offsets])
    assert (events[1] > 256) == (steps == 900), "both ways of answering are tried"
