"""Leaving events out in blocks equals leaving them out at once."""

import numpy as np
import pytest

from posology.domain.policy import ExplainablePolicy
from posology.learners.network import attribution as explain
from tests.builders.policies import fitted_policy, iwpc_cohort


def test_blocks_give_the_attribution_of_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    learned, decisions = fitted_policy("posology"), iwpc_cohort().last_step[:3]
    assert isinstance(learned, ExplainablePolicy)
    whole = learned.explain(iwpc_cohort().history, decisions)
    sizes = []
    leave = explain.leave_one_out
    monkeypatch.setattr(explain, "MAX_EVENTS", 40)
    monkeypatch.setattr(
        explain, "leave_one_out", lambda *args: sizes.append(len(args[3])) or leave(*args)
    )
    parts = learned.explain(iwpc_cohort().history, decisions)
    assert len(sizes) > 2 * len(decisions)
    assert max(sizes) <= 40 // min(np.bincount(whole.event_decision))
    for name in ("attention", "contribution", "dose_contribution"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-5)
    for name in ("step", "event", "event_decision", "step_decision"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))
