"""What the study file and the overlap of options make of an analysis."""

from dataclasses import replace

import numpy as np
import pytest

from posology.causal.doubly_robust_scores import select_nuisance_rows
from posology.domain.cohort import Cohort
from posology.domain.study import AssignmentSpec
from posology.evaluation.effects.effect_study import AnalysisPlan, analyse_effects
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.overlap import assess_overlap
from posology.evaluation.effects.verdict_sentence import Unit
from posology.evaluation.table1.subgroups import Subgroup
from posology.learners.effects.target_trial import StudyTrial, build_study_trial
from posology.workflows.effect_content import effect_rows
from posology.workflows.effect_study import allowed_and_judged, plan_analysis
from tests.builders import synthetic_iwpc
from tests.builders.effect_report import raw_data
from tests.builders.known_effects import draw_nuisance


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    made = synthetic_iwpc.cohort(120)
    study = replace(
        made.study,
        outcome=replace(made.study.outcome, kind="value_in_range"),
        reference="medium",
        assignment=AssignmentSpec(randomised=True),
    )
    treatment = np.random.default_rng(0).integers(0, 3, len(made)).astype(np.int32)
    effective = (treatment == made.best_treatment).astype(np.float32)
    return replace(made, study=study, treatment=treatment, effective=effective)


@pytest.fixture(scope="module")
def trial(cohort: Cohort) -> StudyTrial:
    return build_study_trial(cohort, 1000, np.random.default_rng(0))


def test_the_reference_is_that_of_the_study_file(cohort: Cohort, trial: StudyTrial) -> None:
    nuisance, _ = draw_nuisance("rct", 200, 0)
    overlap = assess_overlap(nuisance.trial, nuisance.propensity)
    plan = plan_analysis(cohort, trial, overlap)
    assert plan.reference.option == cohort.study.formulary.names.index("medium")
    assert (plan.reference.observed, plan.is_randomised) == ("treatment as randomised", True)
    records = replace(cohort.study, reference=None, assignment=AssignmentSpec())
    plan = plan_analysis(replace(cohort, study=records), trial, overlap)
    assert (plan.reference.option, plan.reference.observed) == (None, "usual care")


def test_rules_choose_among_options_that_are_allowed_and_can_be_judged() -> None:
    """The second option was given to 30 of 500 patients."""
    nuisance, _ = draw_nuisance("rct", 500, 0)
    treatment = np.where(np.arange(500) < 30, 1, np.arange(500) % 2 * 2)
    several = replace(
        nuisance.trial, treatment=treatment, n_options=3, option_names=("a", "b", "c")
    )
    shares = np.tile([0.47, 0.06, 0.47], (500, 1))
    propensity = replace(nuisance.propensity, probability=shares)
    allowed = np.ones((500, 3), dtype=bool)
    allowed[:10, [0, 2]] = False
    allowed[10:20, 0] = False
    overlap = assess_overlap(several, propensity, allowed)
    judged = allowed_and_judged(allowed, overlap)
    assert overlap.judged == (0, 2)
    assert not overlap.population[:10].any()
    assert overlap.population[10:].all()
    np.testing.assert_array_equal(judged[:10], [[False, True, False]] * 10)
    np.testing.assert_array_equal(judged[10:20], [[False, False, True]] * 10)
    few = assess_overlap(
        select_nuisance_rows(nuisance, np.arange(500) < 40).trial,
        replace(nuisance.propensity, probability=nuisance.propensity.probability[:40]),
    )
    assert few.judged == ()
    np.testing.assert_array_equal(allowed_and_judged(allowed[:40, :2], few), allowed[:40, :2])


def test_each_row_counts_its_own_decisions_and_patients() -> None:
    """Two decisions a patient; those of one group, and the rare option's reason."""
    nuisance, truth = draw_nuisance("rct", 400, 0)
    nuisance = replace(nuisance, trial=replace(nuisance.trial, subject=np.arange(400) // 2))
    chosen = truth.expected.argmax(axis=1)
    effect = truth.expected - truth.expected[:, [1]]
    rule = HeldOutRule(np.arange(400) % 5, effect, chosen, np.ones(400, np.int64), 5)
    groups = [Subgroup("half", "first", np.arange(400) < 100)]
    plan = AnalysisPlan(tuple("abcdefgh"), {}, groups, {}, [], Unit("points"), is_binary=True)
    results = analyse_effects(nuisance, rule, plan, np.random.default_rng(0))
    rows = effect_rows("study", results, raw_data(nuisance, results))
    found = {(row["model"], row["metric"]): row for row in rows}
    assert (rows[0]["metric"], rows[0]["n"], rows[0]["patients"]) == ("verdict", 400, 200)
    group = found["half: first", "group_gain"]
    assert (group["n"], group["patients"]) == (100, 50)
    assert found["posology's rule", "gain_over usual care"]["value"] is not None
    assert found["posology", "differing_patients"]["value"] > 30
    number = found["posology", "number_needed"]
    assert number["value"] == pytest.approx(1 / found["posology's rule", "gain"]["value"])
    reasons = [row for row in rows if "reason" in row]
    assert reasons == []
