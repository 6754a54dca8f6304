"""A policy with a memory sees, at every visit, the history that the finished log would show."""

import numpy as np

from posology.domain.formulary import Formulary, Treatment
from posology.domain.policy import Doses
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.rollout import remember_history
from posology.simulators.warfarin.care import DOSES, FEATURES, start_treatment, treat_with_memory
from posology.simulators.warfarin.pharmacology import Patients, bodies_2007

NAMING = StudyNames("warfarin", tuple(f"{d:g} mg" for d in DOSES), FEATURES, "day")


class Noting:
    """Gives a dose by the number of steps seen, and keeps what it was shown."""

    profile = None

    def __init__(self) -> None:
        self.formulary = Formulary(tuple(Treatment(n, n) for n in NAMING.treatments))
        self.shown = []

    def predict_effectiveness(self, history, decisions, allowed):
        raise NotImplementedError

    def choice_probabilities(self, history, decisions, allowed):
        self.shown.append((history, decisions))
        steps = np.diff(history.step_offsets)
        return np.eye(len(DOSES))[np.minimum(steps, 20)]

    def predict_doses(self, history, decisions, allowed) -> Doses:
        raise NotImplementedError


def patients(n: int) -> Patients:
    rng = np.random.default_rng(0)
    return Patients(
        rng.uniform(40, 80, n),
        np.full(n, 170.0),
        np.full(n, 75.0),
        rng.integers(0, 6, n),
        rng.integers(0, 3, n),
        np.zeros(n, np.int64),
        np.zeros(n),
        np.zeros(n),
    )


def test_the_history_at_a_visit_is_the_one_of_the_log() -> None:
    known, rng = patients(12), np.random.default_rng(1)
    policy = Noting()
    outcome = treat_with_memory(
        start_treatment(known, bodies_2007(known, rng)), remember_history(policy, NAMING), rng
    )
    whole = to_cohort(outcome.trajectories, NAMING).history
    counts = np.diff(outcome.trajectories.offsets)
    assert len(set(counts)) > 1, "patients must end at different visits"
    for visit, (history, decisions) in enumerate(policy.shown):
        who = np.flatnonzero(counts > visit)
        assert len(history.subject_id) == len(who)
        assert np.array_equal(np.diff(history.step_offsets), np.full(len(who), 2 * visit + 2))
        for row, subject in enumerate(who):
            mine = slice(*history.event_offsets[history.step_offsets[[row, row + 1]]])
            start = whole.event_offsets[whole.step_offsets[subject]]
            size = mine.stop - mine.start
            assert np.array_equal(history.code[mine], whole.code[start : start + size])
            np.testing.assert_array_equal(history.value[mine], whole.value[start : start + size])
        assert np.array_equal(decisions, history.step_offsets[1:] - 1)
