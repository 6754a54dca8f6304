"""The reference page of the study file and the schema name the same keys."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from posology.cohorts.study import schema

PAGE = (Path(__file__).parents[3] / "docs" / "study-file.md").read_text(encoding="utf-8")

TABLES = {
    "Top level": schema.StudySection,
    "`[decision]`": schema.DecisionSection,
    "`[[treatments]]`": schema.TreatmentSection,
    "`[given]`": schema.GivenSection,
    "`[outcome]`": schema.OutcomeSection,
    "`[follow_up]`": schema.FollowUpSection,
    "`[time]`": schema.TimeSection,
    "`[[budgets]]`": schema.BudgetSection,
    "`[[safety]]`": schema.SafetySection,
    "`[safety_packs]`": schema.SafetyPacksSection,
    "`[pharmacogenomics]`": schema.PharmacogenomicsSection,
    "`[reference]`": schema.ReferenceSection,
    "`[[rules]]`": schema.RuleSection,
    "`[profile]`": schema.ProfileSection,
    "`[[profile.standard]]`": schema.StandardSection,
    "`[advice]`": schema.AdviceSection,
    "`[split]`": schema.SplitSection,
    "`[[diagnosis]]`, `[[progression]]` and `[[time_to_event]]`": schema.TargetSection,
}


def keys(heading: str) -> set[str]:
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_lists_exactly_the_keys_of_the_schema(heading: str) -> None:
    assert keys(heading) == set(TABLES[heading].model_fields)


def test_the_page_lists_every_key_of_the_reward_table() -> None:
    assert keys("`[reward]`") == {"source", "effective", "costs", "discount", "right_NAME"}


INNER = "Dose Bounds Range Criterion Cost Preference Resolution Kidney"


def test_every_table_of_the_schema_is_on_the_page() -> None:
    inner = {
        "Strict",
        *(f"{name}Section" for name in INNER.split()),
    }
    tables = {
        name
        for name, item in vars(schema).items()
        if isinstance(item, type) and issubclass(item, BaseModel) and item is not BaseModel
    }
    assert tables - inner == {table.__name__ for table in TABLES.values()}
    for name in inner - {"Strict"}:
        for key in getattr(schema, name).model_fields:
            assert f"`{key}`" in PAGE or re.search(rf"\b{key}\b", PAGE), f"{name}.{key}"
