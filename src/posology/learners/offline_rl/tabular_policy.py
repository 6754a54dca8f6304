"""Tabular learning on a cohort whose state is one code."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex, offsets_from_counts
from posology.domain.policy import AllowedMask, Doses, choose_learned
from posology.domain.profile import Profile
from posology.domain.trajectories import Trajectories, concatenate_episodes
from posology.errors import UserError
from posology.learners.offline_rl.tabular import (
    Shrinkage,
    TabularPolicy,
    count_transitions,
    shrunk_value_iteration,
)

STATE = "STATE"


@dataclass(frozen=True, slots=True, eq=False)
class StateCodePolicy:
    """A table of policies, read by the state code in a decision's last step."""

    formulary: Formulary
    profile: Profile
    table: TabularPolicy

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment member"]:
        """The learned value clipped to 0 to 1 (a probability if returns are); 0 where unknown."""
        values = self.table.values[_state(history, decisions, self.profile)]
        return np.where(np.isfinite(values) & allowed, values.clip(0, 1), 0.0)[:, :, None]

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        """The table's probabilities among allowed options; the best one where they are all 0."""
        state = _state(history, decisions, self.profile)
        return choose_learned(self.formulary, allowed, lambda among: self._choose(state, among))

    def _choose(
        self, state: Int64[np.ndarray, " decision"], allowed: AllowedMask
    ) -> Float64[np.ndarray, "decision treatment"]:
        permitted = self.table.probabilities[state] * allowed
        values = np.where(allowed, self.table.values[state].clip(-1e300), -np.inf)
        best = np.eye(allowed.shape[1])[values.argmax(axis=1)]
        total = permitted.sum(axis=1, keepdims=True)
        return np.where(total > 0, permitted / np.where(total > 0, total, 1.0), best)

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:  # noqa: ARG002
        """No dose is known (NaN)."""
        return Doses(np.full(allowed.shape, np.nan), np.full((len(decisions), 1), np.nan))


@dataclass(frozen=True, slots=True)
class StateCodeLearner:
    """`tabular.shrunk_value_iteration` as a learner; nothing is selected, so it uses both parts."""

    shrinkage: Shrinkage = field(default_factory=Shrinkage)

    def fit(self, train: Cohort, validation: Cohort) -> StateCodePolicy:
        """Learn from every episode of the two cohorts."""
        logged = concatenate_episodes(state_trajectories(train), state_trajectories(validation))
        return StateCodePolicy(
            train.study.formulary,
            train.profile,
            shrunk_value_iteration(count_transitions(logged), self.shrinkage),
        )


def has_state_codes(cohort: Cohort) -> bool:
    """Whether every decision has a treatment, and one state code as its last step."""
    ends = cohort.history.event_offsets[cohort.last_step + 1]
    alone = ends - cohort.history.event_offsets[cohort.last_step] == 1
    if not (alone.all() and (cohort.treatment >= 0).all()):
        return False
    return bool(_holds_state(cohort.history, cohort.last_step, cohort.profile).all())


def state_trajectories(cohort: Cohort) -> Trajectories:
    """A cohort's trajectories of state codes, without the behaviour probabilities (NaN).

    Where the history ends with the last treatment, the final state is the last decision's state.
    """
    history, profile = cohort.history, cohort.profile
    known = cohort.treatment >= 0
    if not known.all():
        raise UserError(
            f"{int((~known).sum())} decisions of study {cohort.study.name} have none of its "
            "treatments; exclude them before learning from states"
        )
    subjects = len(history.subject_id)
    last = history.step_offsets[1:] - 1
    ends_in_state = _holds_state(history, last, profile)
    final = np.zeros(subjects, np.int64)
    final[ends_in_state] = _state(history, last[ends_in_state], profile)
    now = _state(history, cohort.last_step, profile)
    starts = offsets_from_counts(np.bincount(cohort.subject, minlength=subjects))
    final[~ends_in_state] = now[starts[1:][~ends_in_state] - 1]
    return Trajectories(
        observation=now[:, None].astype(np.float64),
        treatment=cohort.treatment,
        reward=cohort.reward.astype(np.float64),
        logged_probability=cohort.logged_probability.astype(np.float64),
        behaviour=np.full((len(now), len(cohort.study.formulary.treatments)), np.nan),
        offsets=starts,
        final_observation=final[:, None].astype(np.float64),
        terminal=cohort.outcome_observed[starts[1:] - 1],
        state_count=len(_state_rows(profile)),
    )


def _state_rows(profile: Profile) -> Int64[np.ndarray, " state"]:
    return np.array(sorted(profile.rows((STATE,))), np.int64)


def _holds_state(
    history: History, steps: Int64[np.ndarray, " step"], profile: Profile
) -> Bool[np.ndarray, " step"]:
    return np.isin(history.code[history.event_offsets[steps + 1] - 1], _state_rows(profile))


def _state(
    history: History, steps: Int64[np.ndarray, " step"], profile: Profile
) -> Int64[np.ndarray, " step"]:
    """Number of the state code with which each step ends.

    Raises UserError where a step holds anything else.
    """
    if not _holds_state(history, steps, profile).all():
        raise UserError(
            f"a decision's last step must hold exactly one code of the family {STATE}; "
            "this study's state is more than one code, so a table cannot represent it"
        )
    code = history.code[history.event_offsets[steps + 1] - 1]
    return np.searchsorted(_state_rows(profile), code).astype(np.int64)
