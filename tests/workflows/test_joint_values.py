"""What the gate judges where two policies' values are weighed on validation patients."""

import pytest

from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.recurrent.joint import EQUAL, JointValues
from posology.workflows import fit as workflow
from tests.builders.belief_cohort import small_trajectories
from tests.builders.policies import BRIEF, FEW


def test_the_judged_policy_has_a_weight_that_no_validation_patient_gave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cohort, seen = small_trajectories(200), []
    learner = JointValues(BRIEF, PessimisticFQI(FEW))
    monkeypatch.setattr(workflow, "build_learner", lambda _method, _seed: learner)
    protect = workflow.protect

    def note(policy, judged, *rest):
        seen.append((policy, judged))
        return protect(policy, judged, *rest)

    monkeypatch.setattr(workflow, "protect", note)
    workflow.fit(cohort, method="joint_values", evidence_decisions=0)
    ((policy, judged),) = seen
    assert judged.weight == EQUAL
    assert judged.recurrent is policy.recurrent
    assert policy.weight != judged.weight
