"""Which reading of learned values to act on, chosen on patients they were not learned from."""

from dataclasses import dataclass, replace

import numpy as np

from posology.causal.policy_worth import Followed, gain, resamples, worth
from posology.domain.cohort import Cohort
from posology.learners.neural import NetworkPolicy
from posology.learners.tensors import goes_on, known_rewards, permitted, unseen, weights

REPLICATES = 200
"""Of the validation patients; enough for a standard error."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is tried, and how sure a gain must be."""

    temperatures: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    """In units of the reward."""
    pessimisms: tuple[float, ...] = (0.0, 0.5, 1.0)
    deviations: float = 1.0
    """Standard errors taken off a gain before it counts (our choice)."""


def chosen(
    learned: NetworkPolicy,
    first: NetworkPolicy,
    validation: Cohort,
    choice: Choice,
    discount: float,
) -> NetworkPolicy:
    """The candidate that most surely earns more than the first phase's policy, else that policy.

    Where every option's reward is known the gain is counted, else it is estimated
    (causal/policy_worth.py).
    """
    history, decisions = validation.history, validation.last_step
    allowed = permitted(validation)
    kept = replace(learned, reading=replace(learned.reading, temperature=None))
    followed = _followed(kept, validation, discount)
    drawn = resamples(followed, REPLICATES, np.random.default_rng(0))
    usual = worth(followed, first.probabilities(history, decisions, allowed), drawn)
    best, most = kept, 0.0
    for pessimism in choice.pessimisms:
        for temperature in choice.temperatures:
            reading = replace(learned.reading, temperature=temperature, pessimism=pessimism)
            candidate = replace(learned, reading=reading)
            chances = candidate.probabilities(history, decisions, allowed)
            surely = gain(worth(followed, chances, drawn), usual, choice.deviations)
            if surely > most:
                best, most = candidate, surely
    return best


def _followed(learned: NetworkPolicy, cohort: Cohort, discount: float) -> Followed:
    behaviour, believed = learned.worths(cohort.history, cohort.last_step)
    return Followed(
        subject=cohort.subject,
        treatment=cohort.treatment.astype(np.int64),
        rewards=known_rewards(cohort).astype(np.float64),
        weight=weights(cohort).astype(np.float64),
        more=goes_on(cohort),
        unseen=unseen(cohort) & (discount > 0),
        behaviour=_as_logged(behaviour, cohort),
        believed=believed,
        discount=discount if goes_on(cohort).any() else 0.0,
    )


def _as_logged(behaviour: np.ndarray, cohort: Cohort) -> np.ndarray:
    """Learned propensities, that of the option given replaced where its chance was recorded."""
    recorded = ~np.isnan(cohort.logged) & (cohort.treatment >= 0)
    row, given = np.flatnonzero(recorded), cohort.treatment[recorded]
    fixed = behaviour.copy()
    left = 1 - cohort.logged[recorded].astype(np.float64)
    others = 1 - behaviour[row, given]
    fixed[row] *= (left / np.maximum(others, 1e-9))[:, None]
    fixed[row, given] = cohort.logged[recorded]
    return fixed
