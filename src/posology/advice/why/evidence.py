"""What `fit` keeps for reasons: the facts with their training values, and the surrogate tree."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from posology.advice.form.field import Form
from posology.advice.why.facts import Fact, measure_facts_of
from posology.advice.why.groups import FactGroup, find_groups
from posology.advice.why.surrogate import Decisions, FirstOptions, SurrogateTree, fit_surrogate
from posology.domain.cohort import Cohort
from posology.domain.serialization import deserialize, serialize

EVIDENCE = "why"
"""Key of a saved policy's evidence that holds a WhyEvidence."""
MAX_DECISIONS = 4_000
"""Decisions of each split that the surrogate sees: enough for a shallow tree. Our choice."""


@dataclass(frozen=True, slots=True)
class WhyEvidence:
    """Aggregates of the training patients, none of fewer than five of them."""

    facts: tuple[Fact, ...]
    surrogate: SurrogateTree | None = None
    """None where the study's answer is a dose, or decisions are too few."""
    groups: tuple[FactGroup, ...] = ()
    """Facts that go together in training: one reason."""


def measure_why(
    train: Cohort, validation: Cohort, form: Form, first_options: FirstOptions | None
) -> dict[str, Any]:
    """As JSON values. first_options: None where the study's answer is a dose."""
    facts = measure_facts_of(train, form)
    surrogate = None
    if first_options is not None:
        surrogate = fit_surrogate(
            facts,
            train.profile,
            _sample(train, first_options),
            _sample(validation, first_options),
        )
    stored = serialize(WhyEvidence(facts, surrogate, find_groups(facts, train)), {})
    assert isinstance(stored, dict)
    return stored


def read_why(evidence: dict[str, Any]) -> WhyEvidence | None:
    """What an artifact holds; None if it was saved without."""
    stored = evidence.get(EVIDENCE)
    return None if stored is None else deserialize(WhyEvidence, stored, {})


def _sample(cohort: Cohort, first_options: FirstOptions) -> Decisions:
    rows = np.arange(len(cohort))
    if len(rows) > MAX_DECISIONS:
        rng = np.random.default_rng(0)
        rows = np.sort(rng.choice(len(rows), MAX_DECISIONS, replace=False))
    steps = cohort.last_step[rows]
    first = first_options(cohort.history, steps)
    keep = first >= 0
    return Decisions(cohort.history, steps[keep], first[keep])
