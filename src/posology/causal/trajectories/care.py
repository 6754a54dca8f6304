"""Logged care over many decisions, described for the value of another policy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.trajectories import Trajectories, has_later_decision

Matrix = Float64[np.ndarray, "decision treatment"]
Column = Float64[np.ndarray, " decision"]
MAX_RATIO = 100.0
"""Largest ratio of the policy's probability to the clinicians' (our choice)."""
MAX_COLUMNS = 400
"""Columns of the model of action values; above it no state's column acts with the option."""


@dataclass(frozen=True, slots=True, eq=False)
class LoggedCare:
    """Trajectories of patients from whom the policy was not learned, with their states."""

    trajectories: Trajectories
    """Every episode is taken as ended; `logged_probability` is known or estimated."""
    state: Float64[np.ndarray, "decision feature"]
    """What describes each decision's state: standardised columns, the first constant."""
    believed: Matrix | None = None
    """A learner's predicted return of each option, of which nothing is assumed; None: none."""
    discount: float = 1.0
    weight: Float64[np.ndarray, " subject"] | None = None
    """Weight of each patient, of mean 1, for those like them not followed so long; None: 1."""
    path: Float64[np.ndarray, "decision path_feature"] | None = None
    """The state with what was given before; None: nothing more is known of that."""

    def option_columns(self, policy: Matrix) -> Float64[np.ndarray, "decision column"]:
        """Columns of the action-value model, averaged over the options that a policy gives."""
        state, options = self.state, policy.shape[1]
        columns = [state]
        if (1 + state.shape[1]) * options <= MAX_COLUMNS:
            acting = policy[:, :, None] * state[:, None, :]
            columns.append(acting.reshape(len(policy), -1))
        else:
            columns.append(policy)
        if self.believed is not None:
            columns += self._believed_columns(policy)
        return np.column_stack(columns)

    def ratio(self, policy: Matrix) -> Column:
        """Probability of the option given under the policy over that under usual care."""
        row = np.arange(len(policy)), self.trajectories.treatment
        found = policy[row] / np.maximum(self.trajectories.logged_probability, 1e-12)
        return np.minimum(found, MAX_RATIO)

    def counts(self) -> Float64[np.ndarray, " subject"]:
        """Weight of each patient."""
        return np.ones(len(self.trajectories)) if self.weight is None else self.weight

    def given(self, options: int) -> Matrix:
        """The option given as a policy of probability 1."""
        return np.eye(options)[self.trajectories.treatment]

    @property
    def subject(self) -> Int64[np.ndarray, " decision"]:
        """Number of the patient at each decision."""
        return np.repeat(np.arange(len(self.trajectories)), np.diff(self.trajectories.offsets))

    def _believed_columns(self, policy: Matrix) -> list[Column]:
        believed = self.believed
        assert believed is not None
        level = believed.mean(axis=1)
        advantage = believed - level[:, None]
        columns = level, (policy * advantage).sum(axis=1)
        scales = level.std(), advantage.std()
        return [c / (s + 1e-9) for c, s in zip(columns, scales, strict=True)]


def next_rows(
    values: Float64[np.ndarray, "decision column"], trajectories: Trajectories
) -> Float64[np.ndarray, "decision column"]:
    """The row of each decision's next one; 0 after the last."""
    return np.where(has_later_decision(trajectories)[:, None], np.roll(values, -1, axis=0), 0.0)
