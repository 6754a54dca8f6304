"""What if a fact were another: the record stays, and the same facts give the same answer."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from posology import artifact
from posology.advice.form.training_facts import EVIDENCE, measure_facts
from posology.artifact import Artifact
from posology.domain.cohort import TRAIN, select_split
from posology.domain.serialization import serialize
from posology.errors import RecordError
from posology.workflows.advice.what_if import _value, _without, read_facts, what_if
from posology.workflows.patient import form_of
from posology.workflows.recommend import recommend
from tests.builders.policies import fitted_policy, iwpc_cohort

FORM = {"facts": {"sex": "male", "age": "70-79", "height": 180, "weight": 80}}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    evidence = {EVIDENCE: serialize(measure_facts(select_split(iwpc_cohort(), TRAIN)), {})}
    folder = tmp_path_factory.mktemp("what-if") / "model"
    artifact.save(fitted_policy("logistic"), iwpc_cohort().study, evidence, folder)
    return artifact.load(Path(folder))


def test_the_facts_of_a_form_are_read_as_the_form_writes_them(model: Artifact) -> None:
    values = {fact.field.name: fact.value for fact in read_facts(model, FORM).values}
    assert {name: values[name] for name in ("sex", "age", "height", "weight")} == {
        "sex": "male",
        "age": "70-79",
        "height": "180",
        "weight": "80",
    }
    assert {value for name, value in values.items() if name not in FORM["facts"]} == {""}


def test_a_changed_form_is_answered_as_if_it_had_been_written_so(model: Artifact) -> None:
    changed = what_if(model, FORM, {"weight": "60", "sex": "female"}, "2026-11-27")
    facts = FORM["facts"] | {"weight": 60, "sex": "female"}
    written = recommend(model, {"facts": facts}, "2026-11-27")
    assert changed.recommendation.dose == written.recommendation.dose
    assert changed.recommendation.options == written.recommendation.options
    before = recommend(model, FORM, "2026-11-27").recommendation.dose
    assert before != changed.recommendation.dose


def test_a_fact_can_be_taken_away_and_a_new_one_added(model: Artifact) -> None:
    without = what_if(model, FORM, {"weight": ""}, "2026-11-27").recommendation
    assert "weight" not in {fact.fact for fact in without.known}
    none = what_if(model, FORM, {"condition a": "no"}, "2026-11-27").recommendation
    assert none.dose == recommend(model, FORM, "2026-11-27").recommendation.dose
    added = what_if(model, FORM, {"drug amiodarone": "yes"}, "2026-11-27").recommendation
    assert {fact.fact: fact.value for fact in added.known}["drug amiodarone"] == "yes"


def test_records_are_changed_as_a_form_is(model: Artifact) -> None:
    form = read_facts(model, FORM)
    events = form.events.set_column(0, "subject_id", pa.array([9] * form.events.num_rows))
    facts = read_facts(model, events, "2026-11-27")
    assert {f.field.name: f.value for f in facts.values if f.value} == {
        f.field.name: f.value for f in form.values if f.value
    }
    ours = what_if(model, events, {"weight": "60"}, "2026-11-27").recommendation
    assert ours.dose == what_if(model, FORM, {"weight": "60"}, "2026-11-27").recommendation.dose
    assert facts.events.equals(read_facts(model, events, "2026-11-27").events)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shoe size": "44"}, "what if: `shoe size` is not a fact of this model"),
        ({"height": "1750"}, "what if: `height` of 1750 cm cannot be right"),
        ({"sex": "other"}, "Given but not used: sex other. The model does not know this value."),
    ],
)
def test_a_change_that_cannot_be_read_names_the_fact(
    model: Artifact, changes: dict[str, str], words: str
) -> None:
    with pytest.raises(RecordError, match=words):
        what_if(model, FORM, changes)


def test_a_needed_fact_that_nobody_knows_stays_so_in_a_what_if(model: Artifact) -> None:
    profile = model.study.profile
    needs = replace(profile, required_for_advice=("WEIGHT",), may_be_unknown=("WEIGHT",))
    strict = replace(model, study=replace(model.study, profile=needs))
    unknown = {"facts": FORM["facts"] | {"weight": "not known"}}
    values = {fact.field.name: fact.value for fact in read_facts(strict, unknown).values}
    assert values["weight"] == "not known"
    older = what_if(strict, unknown, {"age": "80-89"}, "2026-11-27").recommendation
    assert older.headline.startswith("Weight not known: this patient")
    told = what_if(strict, unknown, {"weight": "90"}, "2026-11-27").recommendation
    assert told.headline.startswith("This patient likely needs")
    blank = what_if(strict, FORM, {"weight": ""}, "2026-11-27").recommendation
    assert blank.state == "fact_missing"
    stated = what_if(strict, FORM, {"weight": "not known"}, "2026-11-27").recommendation
    assert stated.headline.startswith("Weight not known: this patient")


def test_of_several_choices_only_the_one_shown_is_changed(model: Artifact) -> None:
    when = [{"value": name, "since": f"2026-0{at}"} for at, name in enumerate("ab", 1)]
    body = {"facts": FORM["facts"] | {"CONDITION": when}}
    facts = read_facts(model, body, "2026-11-27")
    field = next(f for f in form_of(model).fields if f.stem == "CONDITION")
    several = replace(field, several=True)
    shown = _value(several, facts.events, facts.decision)
    assert (shown.value, shown.others) == ("b", ("a",))
    codes = _without(facts.events, shown)["code"].to_pylist()
    assert "CONDITION//a" in codes
    assert "CONDITION//b" not in codes
