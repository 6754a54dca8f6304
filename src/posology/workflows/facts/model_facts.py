"""The facts of a saved policy: the 31 source attributes, and a model card as XML."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.artifact import Artifact
from posology.cohorts.study.error_messages import unknown_name_message
from posology.errors import UserError
from posology.report.model_facts.attributes import ATTRIBUTES, GROUPS, NOT_PROVIDED, ModelFact
from posology.report.model_facts.chai import write_card
from posology.report.model_facts.fill import fill_facts
from posology.workflows.recommend import as_artifact
from posology.workflows.results import Row, render_text, rows_to_table

_BY_FIT = ("validity_test", "fairness_test")
_BY_STUDY = ("fairness_approach",)
"""Attributes that are filled without a file of details."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a saved policy, and what is not."""

    title: str
    digest: str
    """The saved policy's version."""
    facts: tuple[ModelFact, ...]
    card: str
    """The CHAI Applied Model Card, version 0.2, as XML."""

    @property
    def rows(self) -> list[Row]:
        """One row an attribute."""
        return [
            {
                "number": fact.attribute.number,
                "key": fact.attribute.key,
                "attribute": fact.attribute.title,
                "value": fact.value,
                "source": fact.source,
            }
            for fact in self.facts
        ]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def to_json(self) -> dict[str, Any]:
        """All attributes as JSON values."""
        return {"model": self.digest, "title": self.title, "attributes": self.rows}

    def summary(self) -> str:
        """All attributes as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        table = Table("", "attribute", "value", title=self.title, show_lines=False)
        group = 0
        for fact in self.facts:
            number = int(fact.attribute.number.partition(".")[0])
            if number != group:
                table.add_row(str(number), Text(GROUPS[number], "bold"), "")
            group = number
            table.add_row("", fact.attribute.title, fact.value)
        return Group(table, *self._how_to_fill())

    def _how_to_fill(self) -> list[str]:
        """How many are not provided, and which command or file provides each."""
        missing = [f.attribute.key for f in self.facts if f.value == NOT_PROVIDED]
        if not missing:
            return []
        by_fit = [key for key in missing if key in _BY_FIT]
        by_study = [key for key in missing if key in _BY_STUDY]
        own = [key for key in missing if key not in by_fit + by_study]
        lines = [f"{len(missing)} of {len(self.facts)} are not provided."]
        if by_fit:
            lines.append(f"`posology fit`, with its effect study, fills {', '.join(by_fit)}.")
        if by_study:
            lines.append(f"The study file fills {', '.join(by_study)}, with [subgroups].")
        if own:
            lines.append(
                f"State the others in a TOML file (--details FILE), one text a key: "
                f"{', '.join(own)}."
            )
        return lines


def model_facts(model: str | Path | Artifact, details: Path | None = None) -> ModelFacts:
    """The source attributes of a saved policy, filled from it, its study and a file of details."""
    loaded = as_artifact(model)
    policy, study, evidence = loaded.policy, loaded.study, loaded.evidence
    facts = fill_facts(study, policy.profile, evidence, _read_details(details))
    about = {
        "title": study.title,
        "version": loaded.digest[:12],
        "kind": f"{type(policy).__name__} of posology",
        "inputs": f"{len(policy.profile.codes)} codes of patients' records.",
    }
    return ModelFacts(study.title, loaded.digest, facts, write_card(facts, about, evidence))


def _read_details(path: Path | None) -> dict[str, str]:
    """What a file states of the attributes. UserError names an unknown key and the nearest one."""
    if path is None:
        return {}
    try:
        body = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as TOML ({error}).") from error
    known = [attribute.key for attribute in ATTRIBUTES]
    for key, value in body.items():
        if key not in known:
            raise UserError(unknown_name_message(f"{path}: key", key, known))
        if not isinstance(value, str) or not value.strip():
            raise UserError(f'{path}: `{key}` is {value!r}; write a text, as in {key} = "...".')
    return body
