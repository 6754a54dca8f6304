"""What `fit` keeps for later answers, from models that are known instead of fitted."""

from dataclasses import replace

import numpy as np
import pytest

from posology.artifact import Artifact
from posology.causal.doubly_robust_scores import Nuisance
from posology.domain.cohort import Cohort
from posology.domain.formulary import Formulary
from posology.domain.study import AssignmentSpec
from posology.evaluation.effects.effect_study import AnalysisPlan, analyse_effects
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.reference import Reference
from posology.evaluation.effects.verdict_sentence import Unit
from posology.learners.effects.secondary_trials import COST_OF_HARMS
from posology.learners.effects.target_trial import StudyTrial
from posology.learners.features.tabular import LAST_VALUE
from posology.workflows.advice import evidence as advice_evidence
from posology.workflows.advice.evidence import MAX_DECISIONS, measure_effects
from posology.workflows.advice.patient_evidence import stored_evidence
from posology.workflows.effect_study import EffectResult
from posology.workflows.progress import no_progress
from tests.builders.known_effects import draw_nuisance
from tests.builders.policies import fitted_policy, iwpc_cohort

N = 600


def study_of_two_options() -> Cohort:
    """Low against high, as in a trial whose control is low."""
    study = iwpc_cohort().study
    low, _, high = study.formulary.treatments
    return replace(
        iwpc_cohort(),
        study=replace(
            study,
            formulary=Formulary((low, high)),
            outcome=replace(study.outcome, kind="occurs"),
            reference="low",
            assignment=AssignmentSpec(randomised=True),
        ),
    )


def result_of(scenario: str) -> EffectResult:
    """An effect study whose rule is the truth."""
    nuisance, truth = draw_nuisance(scenario, N, 0)
    rule = HeldOutRule(
        nuisance.fold, truth.expected, truth.expected.argmax(axis=1), np.zeros(N, np.int64), 5
    )
    plan = AnalysisPlan(
        tuple("abcdefgh"),
        {},
        [],
        {"bleeding": nuisance},
        [],
        Unit("points"),
        True,
        True,
        Reference(0),
    )
    estimates = analyse_effects(nuisance, rule, plan, np.random.default_rng(0))
    everyone, codes = np.ones(N, dtype=bool), np.arange(8, dtype=np.int32)
    trial = StudyTrial(
        nuisance.trial,
        np.arange(N),
        tuple("abcdefgh"),
        "points",
        True,
        everyone,
        np.full(8, LAST_VALUE, np.int8),
        codes,
    )
    harms: dict[str, Nuisance] = {"bleeding": nuisance}
    return EffectResult(study_of_two_options(), trial, nuisance, estimates, 0, harms=harms)


@pytest.fixture(scope="module")
def found() -> EffectResult:
    return result_of("rct")


@pytest.fixture(scope="module")
def kept(found: EffectResult) -> Artifact:
    evidence = {"effects": measure_effects(found)}
    return Artifact(fitted_policy("logistic"), found.cohort.study, evidence, "")


def test_what_is_kept_is_what_the_study_found(found: EffectResult, kept: Artifact) -> None:
    stored = stored_evidence(kept)
    assert stored.study is not None
    assert stored.study.verdict == found.estimates.verdict.kind == "gain"
    assert (stored.study.reference, stored.study.unit) == ("low", "")
    low, high = stored.study.options
    assert low.difference is None
    assert high.difference is not None
    against = found.estimates.verdict.against_reference
    assert against is not None
    assert high.difference.value == pytest.approx(100 * against.contrasts[0].effect.value)
    assert high.value is not None
    assert high.value.value == pytest.approx(100 * found.nuisance.scores[:, 1].mean())
    assert [harm.name for harm in high.harms] == ["bleeding"]
    assert high.harms[0].difference is not None
    assert high.harms[0].difference.value == pytest.approx(high.difference.value)


def test_costs_have_their_unit_once_and_no_harm_displaces_another(found: EffectResult) -> None:
    """Names of diagnoses are the study's: a comma in one begins no unit."""
    names = ("pneumonia", "pneumonia, in hospital", COST_OF_HARMS)
    harms = dict.fromkeys(names, found.nuisance)
    evidence = {"effects": measure_effects(replace(found, harms=harms))}
    kept = Artifact(fitted_policy("logistic"), found.cohort.study, evidence, "")
    study = stored_evidence(kept).study
    assert study is not None
    assert [(h.name, h.unit) for h in study.options[1].harms] == [
        ("pneumonia", ""),
        ("pneumonia, in hospital", ""),
        ("cost of harms", "units of the reward"),
    ]


def test_no_patient_is_kept(kept: Artifact) -> None:
    """Every array is smaller than the number of patients along each axis."""
    arrays = kept.evidence["effects"]["arrays"]
    assert max(max(a.shape, default=0) for a in arrays.values()) < N / 2
    stored = stored_evidence(kept)
    assert stored.patients is not None
    assert stored.patients.outcome.patients.min() >= 200


def test_a_study_that_cannot_be_done_leaves_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError("singular")

    monkeypatch.setattr(advice_evidence, "effect_study", fails)
    policy, cohort = fitted_policy("logistic"), study_of_two_options()
    plain = replace(cohort, study=replace(cohort.study, rules=()))
    kept = advice_evidence.measure_advice_evidence(policy, plain, 0, MAX_DECISIONS, no_progress)
    assert kept["effects"] == {"reason": "the effect study could not be done: singular"}
    stored = stored_evidence(Artifact(policy, plain.study, kept, ""))
    assert stored.not_judged == "The effect study could not be done: singular."
    kept = advice_evidence.measure_advice_evidence(policy, plain, 0, 0, no_progress)
    assert kept["effects"] == {"reason": "the effect study was left out by choice"}


def test_the_test_split_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Cohort] = []

    def watch(cohort: Cohort, *_: object, **__: object) -> EffectResult:
        seen.append(cohort)
        raise ValueError("stop")

    monkeypatch.setattr(advice_evidence, "effect_study", watch)
    cohort = study_of_two_options()
    plain = replace(cohort, study=replace(cohort.study, rules=()))
    advice_evidence.measure_advice_evidence(
        fitted_policy("logistic"), plain, 0, MAX_DECISIONS, no_progress
    )
    assert set(seen[0].split.tolist()) == {0, 1}


def test_where_the_right_dose_is_known_its_error_is_kept() -> None:
    kept = advice_evidence.measure_advice_evidence(
        fitted_policy("logistic"), iwpc_cohort(), 0, MAX_DECISIONS, no_progress
    )
    assert "effects" not in kept
    assert {entry["name"] for entry in kept["rules"]} >= {"fixed", "clinical_formula"}
