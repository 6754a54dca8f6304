"""The CHAI Applied Model Card, version 0.2, as XML.

Elements and their order follow https://mc.chai.org/v0.2/schema.xsd (28 October 2025); a required
element that nobody can fill holds "Not provided".
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from typing import Any

from posology.report.model_facts.attributes import NOT_PROVIDED, ModelFact
from posology.report.model_facts.fill import study_findings

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"
Tree = Mapping[str, Any]
"""Element name to text, a list of texts under one child's name, or a further tree."""


def write_card(
    facts: Sequence[ModelFact], model: Mapping[str, str], evidence: Mapping[str, Any]
) -> str:
    """The card as an XML document.

    Args:
        facts: the source attributes.
        model: `title`, `version`, `kind` and `inputs` of the saved policy, in words.
        evidence: what was measured when it was fitted.
    """
    value = {fact.attribute.key: fact.value for fact in facts}
    root = ET.Element("AppliedModelCard", {"xmlns": NAMESPACE})
    _add(root, _card(value, model, evidence))
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add(parent: ET.Element, tree: Tree) -> None:
    for name, content in tree.items():
        for part in content if isinstance(content, list) else [content]:
            child = ET.SubElement(parent, name)
            if isinstance(part, Mapping):
                _add(child, part)
            else:
                child.text = str(part)


def _card(value: Mapping[str, str], model: Mapping[str, str], evidence: Mapping[str, Any]) -> Tree:
    return {
        "BasicInfo": {
            "ModelName": model["title"],
            "ModelDeveloper": value["developer"],
            "DeveloperContact": value["developer"],
        },
        "ReleaseInfo": {
            "ReleaseStage": "Research: decision support, not a medical device",
            "ReleaseDate": NOT_PROVIDED,
            "ReleaseVersion": model["version"],
            "GlobalAvailability": NOT_PROVIDED,
        },
        "ModelSummary": {"Summary": value["intended_use"], "Keywords": {}},
        "UsesAndDirections": {
            "IntendedUseAndWorkflow": f"{value['intended_use']} {value['role']}",
            "PrimaryIntendedUsers": value["users"],
            "HowToUse": value["output"],
            "TargetedPatientPopulation": value["population"],
            "CautionedOutOfScopeSettings": value["out_of_scope"],
        },
        "Warnings": {
            "KnownRisksAndLimitations": value["limitations"],
            "KnownBiasesOrEthicalConsiderations": value["bias_approach"],
            "ClinicalRiskLevel": NOT_PROVIDED,
        },
        "TrustIngredients": _trust(value, model),
        "KeyMetrics": _metrics(value, evidence),
        "Resources": {
            "EvaluationReferences": value["outcome_evaluations"],
            "PeerReviewedPublications": NOT_PROVIDED,
            "PatientConsentOrDisclosure": NOT_PROVIDED,
        },
        "Bibliography": "",
    }


def _trust(value: Mapping[str, str], model: Mapping[str, str]) -> Tree:
    return {
        "AISystemFacts": {
            "OutcomesAndOutputs": value["output"],
            "ModelType": model["kind"],
            "InputDataSource": value["relevance"],
            "OutputAndInputDataTypes": f"{model['inputs']} {value['demographic_inputs']}",
            "DevelopmentDataCharacterization": f"{value['criteria']} {value['representativeness']}",
            "BiasMitigationApproaches": value["fairness_approach"],
            "OngoingMaintenance": f"{value['updates']}. {value['validity_monitoring']}.",
        },
        "TransparencyInformation": {
            "FundingSource": value["funding"],
            "StakeholdersConsulted": NOT_PROVIDED,
        },
    }


def _metrics(value: Mapping[str, str], evidence: Mapping[str, Any]) -> Tree:
    effects = study_findings(evidence)
    options = [
        (f"{row['name']}, difference to the reference", row["difference"])
        for row in effects.get("options", ())
        if row.get("difference")
    ]
    groups = [
        (f"Gain, {row['family']} {row['group']}", row["gain"])
        for row in effects.get("groups", ())
        if row.get("gain")
    ]
    unit = str(effects.get("unit") or "patients of 100")
    test = "Doubly robust estimates on patients that nothing was learned from." if effects else ""
    return {
        "UsefulnessUsabilityEfficacy": _metric(
            "Outcome under each option", value["validity_test"], (options, unit, test)
        ),
        "FairnessEquity": _metric(
            "The same gain in every subgroup", value["fairness_test"], (groups, unit, test)
        ),
        "SafetyReliability": _metric("Harms of each option", NOT_PROVIDED, ([], unit, test)),
    }


def _metric(goal: str, interpretation: str, found: tuple[list[tuple[str, Any]], str, str]) -> Tree:
    estimates, unit, test = found
    results = [
        {"Label": label, "ValueJson": json.dumps(_estimate(estimate, unit))}
        for label, estimate in estimates
    ]
    return {
        "MetricGoal": goal,
        "Results": {"MetricResult": results or [{"Label": NOT_PROVIDED, "ValueJson": "null"}]},
        "Interpretation": interpretation,
        "TestType": test or NOT_PROVIDED,
        "TestingDataDescription": NOT_PROVIDED,
        "ValidationProcessAndJustification": NOT_PROVIDED,
    }


def _estimate(estimate: Mapping[str, float], unit: str) -> dict[str, Any]:
    return {
        "kind": "estimate_ci",
        "estimate": estimate["value"],
        "lower": estimate["low"],
        "upper": estimate["high"],
        "level": 95,
        "unit": unit,
    }
