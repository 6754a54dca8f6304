"""`posology facts`: 31 attributes, what nobody knows not provided, and a card in CHAI's order."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posology import artifact
from posology.artifact import Artifact
from posology.cli import app
from posology.domain.safety_rules.rule import SafetyPack, SafetySpec
from posology.errors import UserError
from posology.report.model_facts.attributes import ATTRIBUTES, GROUPS
from posology.workflows.facts.model_facts import ModelFacts, model_facts
from tests.builders.policies import fitted_policy, iwpc_cohort

GAIN = {"value": 3.0, "low": 1.0, "high": 5.0}
EFFECTS = {
    "sentence": "Choosing by the patient is shown to gain.",
    "patients": 1200,
    "unit": "",
    "options": [{"name": "low", "difference": GAIN}, {"name": "high", "difference": None}],
    "groups": [{"family": "sex", "group": "female", "patients": 300, "gain": GAIN}],
}
PACK = SafetyPack("p", "Rules", "1", "2026-01-01", "2027-01-01", "CC0-1.0", "made up", "", "0")
ORDER = {
    "AppliedModelCard": "BasicInfo ReleaseInfo ModelSummary UsesAndDirections Warnings "
    "TrustIngredients KeyMetrics Resources Bibliography",
    "BasicInfo": "ModelName ModelDeveloper DeveloperContact",
    "ReleaseInfo": "ReleaseStage ReleaseDate ReleaseVersion GlobalAvailability",
    "ModelSummary": "Summary Keywords",
    "UsesAndDirections": "IntendedUseAndWorkflow PrimaryIntendedUsers HowToUse "
    "TargetedPatientPopulation CautionedOutOfScopeSettings",
    "Warnings": "KnownRisksAndLimitations KnownBiasesOrEthicalConsiderations ClinicalRiskLevel",
    "TrustIngredients": "AISystemFacts TransparencyInformation",
    "AISystemFacts": "OutcomesAndOutputs ModelType InputDataSource OutputAndInputDataTypes "
    "DevelopmentDataCharacterization BiasMitigationApproaches OngoingMaintenance",
    "TransparencyInformation": "FundingSource StakeholdersConsulted",
    "KeyMetrics": "UsefulnessUsabilityEfficacy FairnessEquity SafetyReliability",
    "FairnessEquity": "MetricGoal Results Interpretation TestType TestingDataDescription "
    "ValidationProcessAndJustification",
    "MetricResult": "Label ValueJson",
    "Resources": "EvaluationReferences PeerReviewedPublications PatientConsentOrDisclosure",
}
"""Order of the required elements in https://mc.chai.org/v0.2/schema.xsd, and one optional one."""


def facts(evidence: dict | None = None, details: Path | None = None) -> ModelFacts:
    study = replace(iwpc_cohort().study, safety_packs=SafetySpec((PACK,)))
    model = Artifact(fitted_policy("logistic"), study, evidence or {}, "abc" * 20)
    return model_facts(model, details)


def value(found: ModelFacts, key: str) -> str:
    return next(fact.value for fact in found.facts if fact.attribute.key == key)


def test_there_are_31_attributes_in_nine_groups() -> None:
    counts = [sum(a.number.startswith(f"{group}.") for a in ATTRIBUTES) for group in GROUPS]
    assert counts == [4, 4, 2, 4, 2, 4, 5, 4, 2]
    assert len({a.key for a in ATTRIBUTES}) == 31


def test_what_the_study_and_the_policy_know_is_filled_in() -> None:
    found = facts({"warnings": ["Follow-up is short."], "effects": {"study": EFFECTS}})
    assert value(found, "intended_use") == iwpc_cohort().study.purpose
    assert "medium dose, 21 to 49 mg a week" in value(found, "output")
    assert "Used: race, sex, date of birth or age." in value(found, "demographic_inputs")
    assert "Not used: ethnicity, language" in value(found, "demographic_inputs")
    assert value(found, "limitations") == (
        "Follow-up is short. Safety rules “Rules” 1: reviewed by nobody, current until 2027-01-01."
    )
    assert value(found, "validity_test") == (
        "Choosing by the patient is shown to gain. (1,200 patients)"
    )
    assert value(found, "fairness_test") == (
        "Gain of choosing by the patient: sex female 3 (1 to 5)."
    )


def test_what_nobody_knows_is_not_provided_and_may_be_stated(tmp_path: Path) -> None:
    assert value(facts(), "funding") == "Not provided"
    assert value(facts(), "validity_test") == "Not provided"
    path = tmp_path / "details.toml"
    path.write_text('funding = "The hospital."\ndeveloper = "Ward 3, ward3@example.org"\n')
    found = facts(details=path)
    assert value(found, "funding") == "The hospital."
    assert "<FundingSource>The hospital.</FundingSource>" in found.card
    row = next(row for row in found.rows if row["key"] == "funding")
    assert (row["number"], row["source"]) == ("1.ii", "details")
    assert "are not provided" in found.summary()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('fundin = "x"', "key `fundin` is unknown; did you mean `funding`?"),
        ("funding = 3", '`funding` is 3; write a text, as in funding = "..."'),
        ("funding", "cannot be read as TOML"),
    ],
)
def test_details_that_say_nothing_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "details.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        facts(details=tmp_path / "details.toml")
    assert message in str(caught.value)


def test_the_card_has_every_required_element_in_the_schemas_order() -> None:
    for evidence in ({}, {"effects": {"study": EFFECTS}}):
        root = ET.fromstring(facts(evidence).card)
        space = "{https://mc.chai.org/v0.2/schema.xsd}"
        assert root.tag == f"{space}AppliedModelCard"
        for parent, children in ORDER.items():
            elements = [e for e in root.iter() if e.tag == space + parent]
            assert elements, parent
            for element in elements:
                assert [c.tag.removeprefix(space) for c in element] == children.split()
        gains = [e.text for e in root.iter(f"{space}ValueJson")]
        assert [json.loads(text or "") for text in gains].count(None) == (1 if evidence else 3)


def test_the_command_writes_both_files(tmp_path: Path) -> None:
    artifact.save(fitted_policy("logistic"), iwpc_cohort().study, {}, tmp_path / "model")
    out, card = tmp_path / "facts.json", tmp_path / "card.xml"
    command = ["facts", str(tmp_path / "model"), "--json", str(out), "--xml", str(card)]
    assert CliRunner().invoke(app, command).exit_code == 0
    assert len(json.loads(out.read_text())["attributes"]) == 31
    assert ET.parse(card).getroot().tag.endswith("AppliedModelCard")


def test_the_error_of_a_dose_is_its_validity() -> None:
    error = {"value": 8.41, "low": 7.9, "high": 8.92}
    found = facts({"dose": {"patients": 834, "error": error, "unit": "mg/wk"}})
    assert value(found, "validity_test") == (
        "In 834 validation patients the dose was off by 8.4 mg/wk on average (7.9 to 8.9)."
    )


def test_it_says_what_fills_what_is_not_provided() -> None:
    summary = " ".join(facts().summary().split())
    assert "`posology fit`, with its effect study, fills validity_test, fairness_test." in summary
    assert "State the others in a TOML file (--details FILE), one text a key: developer, fund" in (
        summary
    )
    known = " ".join(facts({"effects": {"study": EFFECTS}}).summary().split())
    assert "`posology fit`" not in known
