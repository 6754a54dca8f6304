"""Safety rules in an answer: also of facts that the model knows nothing about."""

import datetime
import hashlib
import importlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from posology import artifact
from posology.advice.why.evidence import EVIDENCE as WHY
from posology.artifact import Artifact
from posology.cohorts.study.reader import parse_study, shipped_study_path
from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.recommendation.recommendation import Recommendation
from posology.domain.study import Preference, Rule
from posology.errors import UserError
from posology.records.schema import EVENTS
from posology.workflows.advice.reasons import measure_reasons
from posology.workflows.recommend import recommend, template
from tests.builders.policies import fitted_policy, iwpc_cohort
from tests.builders.safety_packs import pack, rule, write

WARFARIN = {"drugs": ["warfarin"], "source": "a label", "strength": ""}
ALLERGY = rule(
    **WARFARIN,
    name="allergy",
    kind="allergy",
    any_of=[{"fact": "warfarin allergy"}],
    meaning="It may be fatal.",
)
LIVER = rule(
    **WARFARIN,
    name="liver",
    effect="warn",
    any_of=[{"fact": "ALT", "above": 120}],
    meaning="The dose may be too high.",
)
BLEEDING = rule(
    **WARFARIN,
    name="bleeding",
    kind="interaction",
    any_of=[{"drug": "aspirin", "within_days": 90}],
    unless=[{"fact": "heart valve"}],
    meaning="Bleeding is likelier.",
)
LIMIT = rule(
    **WARFARIN,
    name="light",
    kind="dose_limit",
    effect="limit",
    any_of=[{"fact": "frailty"}],
    dose={"at_most": 22, "unit": "mg/wk"},
    meaning="Small steps.",
)
LIKED = rule(
    **WARFARIN, name="valve", kind="recommendation", effect="recommend",
    any_of=[{"fact": "heart valve"}, {"drug": "aspirin"}], meaning="A valve needs it.",
)  # fmt: skip
BODY = pack(
    ALLERGY,
    LIVER,
    BLEEDING,
    LIMIT,
    LIKED,
    drugs={"warfarin": ["RXNORM//11289"], "aspirin": ["RXNORM//1191"]},
    facts={
        "warfarin allergy": {"codes": ["ALLERGY//warfarin"], "known_by": ["ALLERGY//none"]},
        "ALT": {"codes": ["MEASUREMENT//LOINC//1742-6"], "unit": "U/L", "within_days": 365},
        "heart valve": {"codes": ["CONDITION//valve"]},
        "frailty": {"codes": ["CONDITION//frail"]},
    },
)
Ask = Callable[..., Recommendation]


def model(folder: Path, table: str = "", **changes: Any) -> Artifact:
    """A saved policy that knows none of the pack's facts, with its study's packs."""
    write(BODY | changes, folder)
    options = '["low", "medium", "high"]'
    packs = f'[safety_packs]\npacks = ["pack.json"]\ndrugs = {{ warfarin = {options} }}\n{table}\n'
    text = shipped_study_path("iwpc").read_text().replace("[profile]", f"{packs}[profile]", 1)
    spec = parse_study(text, str(folder / "iwpc.toml")).safety_packs
    study = replace(iwpc_cohort().study, safety_packs=spec)
    path = folder / f"model{len(list(folder.iterdir()))}"
    artifact.save(fitted_policy("logistic"), study, {}, path)
    return artifact.load(path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return model(tmp_path_factory.mktemp("packs"))


def ask(model: Artifact, **facts: Any) -> Recommendation:
    known = {"sex": "male", "height": 180, "weight": 80, "race": "White"}
    return recommend(model, {"facts": known | facts, "decision": "2026-11-28"}).recommendation


def kinds(advice: Recommendation) -> dict[str, str]:
    """What was found, and of which kind."""
    return {finding.finding: finding.kind for finding in advice.safety}


def test_the_form_has_the_facts_of_the_rules(saved: Artifact) -> None:
    facts = template(saved)["facts"]
    assert {"warfarin allergy", "ALT", "heart valve", "frailty", "aspirin"} <= set(facts)


def test_what_is_not_known_is_named_and_forbids_nothing(saved: Artifact) -> None:
    advice = ask(saved)
    assert advice.state == "dose"
    assert kinds(advice) == {
        "warfarin allergy not recorded": "not_checked",
        "ALT not recorded": "not_checked",
        "2 of 4 safety rules were checked": "clear",
    }
    unknown = advice.safety[0]
    assert unknown.meaning == (
        "It may be fatal. The study file has it that a rule that cannot be checked forbids nothing."
    )
    assert (unknown.source, unknown.version) == ("a label", "made-up 1")
    assert {option.standing for option in advice.options} == {"not_estimated"}


def test_an_old_number_is_not_known(saved: Artifact) -> None:
    old = ask(saved, ALT={"value": 300, "date": "2025-09-28"})
    assert kinds(old)["ALT is 14 months old"] == "not_checked"
    new = ask(saved, ALT={"value": 300, "date": "2026-10-28"})
    assert kinds(new)["ALT 300 U/L"] == "warning"
    assert "Given but not used" not in " ".join(new.callouts), "a rule used it"


def test_with_every_option_forbidden_the_answer_says_why(saved: Artifact) -> None:
    advice = ask(saved, warfarin_allergy="yes")
    assert advice.state == "all_forbidden"
    assert advice.headline == "No answer: every option is forbidden for this patient."
    assert advice.lead[0].endswith("over 49 mg a week: warfarin allergy recorded (a label).")
    assert advice.dose is None
    forbidden = [option for option in advice.options if option.standing == "forbidden"]
    assert len(forbidden) == 3
    assert {option.choice_share for option in forbidden} == {0.0}
    assert forbidden[0].remarks == (
        "Forbidden: warfarin allergy recorded. It may be fatal. (a label)",
    )
    looked_for = ask(saved, warfarin_allergy="no")
    assert "warfarin allergy not recorded" not in kinds(looked_for)
    assert "3 of 4 safety rules were checked" in kinds(looked_for)


def test_rules_that_disagree_are_shown(saved: Artifact) -> None:
    assert ask(saved, aspirin="yes", heart_valve="yes").state == "dose", "the exception holds"
    advice = ask(saved, aspirin="yes")
    found = next(f for f in advice.safety if f.finding == "Rules disagree: bleeding and valve")
    assert found.kind == "warning"
    assert found.meaning.startswith("One rule forbids it and another one recommends it. It stays")
    assert kinds(advice)["aspirin taken"] == "forbids"


def test_a_limit_holds_for_every_dose(saved: Artifact) -> None:
    free, held = ask(saved), ask(saved, frailty="yes")
    assert free.dose is not None
    assert held.dose is not None
    assert free.dose.dose == 22.5
    assert held.dose.dose == held.dose.supported[1] == 22
    by_name = {option.name: option for option in held.options}
    assert by_name["high"].standing == "forbidden"
    assert by_name["high"].remarks == (
        "Forbidden: frailty recorded. Small steps. No dose of the study is at most 22 mg/wk. "
        "(a label)",
    )
    assert any("was lowered to 22.0 mg/wk by a safety rule" in text for text in held.callouts)
    used = [f for f in held.safety if f.kind == "used_in_dose"]
    assert used[0].meaning == "Small steps. Dose at most 22 mg/wk."


def test_a_guideline_never_chooses_what_a_rule_forbids(saved: Artifact) -> None:
    """Also by facts that the model does not know, as those of packs are."""
    line = Rule("list", "order", "made up", order=(Preference(("high", "medium")),))
    listed = replace(saved, study=replace(saved.study, rules=(line,)))
    low, medium, high = (t.title for t in saved.study.formulary.treatments)

    def choice(**facts: Any) -> str:
        return ask(listed, **facts).guideline[0][1]

    assert choice() == high
    assert choice(frailty="yes") == f"{medium} ({high} would come first, but is forbidden)"
    none = "none of its options: all are forbidden for this patient"
    assert choice(warfarin_allergy="yes") == none
    assert low not in (choice(), choice(frailty="yes"))


def test_reasons_speak_of_the_dose_that_a_rule_left(saved: Artifact) -> None:
    cohort = iwpc_cohort()
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    why = {WHY: measure_reasons(saved, train, validation)}
    with_reasons = replace(saved, evidence=why)
    free, held = ask(with_reasons).why.dose, ask(with_reasons, frailty="yes").why.dose
    sizes = [
        [float(found) for r in said for found in re.findall(r"would be ([\d.]+)", r.sentence)]
        for said in (free, held)
    ]
    assert max(sizes[0]) > 22
    assert max(sizes[1], default=0.0) <= 22, "without a fact, too, the rule holds"


def test_the_rules_are_applied_once(saved: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    count = []
    for module in ("posology.workflows.recommend", "posology.advice.recommend"):
        whole = importlib.import_module(module)
        once = whole.check_safety
        monkeypatch.setattr(whole, "check_safety", lambda *a, f=once: count.append(1) or f(*a))
    assert ask(saved).state == "dose"
    assert len(count) == 1


def test_unknown_blocks_where_the_study_says_so(tmp_path: Path) -> None:
    strict = model(tmp_path, 'on_unknown = "block"')
    advice = ask(strict)
    assert advice.state == "all_forbidden"
    assert kinds(advice)["warfarin allergy not recorded"] == "forbids"
    assert kinds(advice)["ALT not recorded"] == "not_checked", "it would only warn"
    assert ask(strict, warfarin_allergy="no").state == "dose"


def test_old_packs_and_packs_that_nobody_reviewed_are_named_or_refused(tmp_path: Path) -> None:
    past = {"date": "2020-01-01", "expires": "2021-01-01", "reviewed_by": ""}
    said = " ".join(ask(model(tmp_path, **past)).callouts)
    assert "(version 1 of 2020-01-01) were current until 2021-01-01. Labels may have" in said
    assert "were reviewed by nobody." in said
    old = model(tmp_path, **past)
    refusing = replace(
        old,
        study=replace(old.study, safety_packs=replace(old.study.safety_packs, on_expired="refuse")),
    )
    with pytest.raises(UserError, match=r"safety pack made-up 1 expired on 2021-01-01, and `on_"):
        ask(refusing)


def test_records_show_codes_that_the_model_does_not_know(saved: Artifact) -> None:
    when = datetime.datetime(2026, 11, 1)  # noqa: DTZ001 - MEDS times have no zone
    rows = [
        (7, None, "SEX//male", None),
        (7, None, "WEIGHT", 80.0),
        (7, when, "DRUG//RXNORM//1191//given", 100.0),
        (7, when, "MEASUREMENT//LOINC//1742-6", 200.0),
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    events = pa.table([*columns, [None] * 4, [None] * 4], schema=EVENTS)
    advice = recommend(saved, events).recommendation
    assert kinds(advice)["aspirin taken"] == "forbids"
    assert kinds(advice)["ALT 200 U/L"] == "warning"


def test_the_answer_is_json(saved: Artifact) -> None:
    body = recommend(saved, {"facts": {"sex": "male", "aspirin": "yes"}}).to_json()
    assert json.loads(json.dumps(body))["safety"][0]["kind"] == "forbids"


def test_an_artifact_from_before_packs_still_opens(tmp_path: Path) -> None:
    study = iwpc_cohort().study
    artifact.save(fitted_policy("logistic"), study, {}, tmp_path / "model")
    body = json.loads((tmp_path / "model" / "policy.json").read_text())
    del body["study"]["safety_packs"]
    files = tmp_path / "model"
    (files / "policy.json").write_text(json.dumps(body))
    sums = json.loads((files / "checksums.json").read_text())
    sums["policy.json"] = hashlib.sha256((files / "policy.json").read_bytes()).hexdigest()
    (files / "checksums.json").write_text(json.dumps(sums))
    assert artifact.load(files).study == study
