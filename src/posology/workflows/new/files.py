"""The files that every project has: Makefile, README, notebook, .gitignore."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import posology

GITIGNORE = """\
# Patients' data, and what is made of them, stay out of version control.
data/
records/
events/
events.partial/
cohort/
model/
patient*.json
patient*.html
effect.html
effect.json
value.html
value.json
*.csv
*.tsv
*.parquet
*.xls
*.xlsx
*.ndjson
*.vcf
*.vcf.gz
*.dcm
*.npz
.ipynb_checkpoints/
"""
USES = {
    "mapping.toml": "which column means what",
    "study.toml": "the question",
    "Makefile": "every step, in order",
    "patient.json": "a typical patient, made of the table's medians; no real person",
    "explore.ipynb": "the same from Python",
    "data/patients.csv": "made-up patients",
}


@dataclass(frozen=True, slots=True)
class Steps:
    """How a project's records become events, and how its policy is learned."""

    title: str
    about: str
    """One or two sentences: where the records are from."""
    source: str
    """Options of `posology ingest`."""
    inputs: str
    """Files that the events depend on, as a Makefile lists them."""
    method: str
    simulated: str = ""
    """Command that makes the records; empty where they are there."""
    records: str = ""
    """Folder that this command makes."""


def shared_files(steps: Steps, own: dict[str, str]) -> dict[str, str]:
    """Makefile, README, notebook and .gitignore, for a project with these files of its own."""
    has_patient = "patient.json" in own
    names = (*own, "Makefile", "explore.ipynb")
    variables: dict[str, Any] = {
        "title": steps.title,
        "about": steps.about,
        "source": steps.source,
        "inputs": steps.inputs,
        "method": steps.method,
        "simulated": steps.simulated,
        "records": steps.records,
        "mapped": "mapping.toml" in own,
        "has_patient": has_patient,
        "version": posology.__version__,
        "commands": commands(steps, has_patient),
        "checks": sum(text.count("CHECK:") for text in own.values()),
        "uses": [(name, use) for name, use in USES.items() if name in names],
    }
    return {
        "Makefile": _render("Makefile.j2", variables),
        "README.md": _render("README.md.j2", variables),
        "explore.ipynb": notebook(steps),
        ".gitignore": GITIGNORE,
    }


def commands(steps: Steps, has_patient: bool) -> list[str]:
    """The steps of the Makefile's first target, as commands."""
    return [
        *([steps.simulated] if steps.simulated else []),
        f"posology ingest --out events {steps.source}",
        "posology cohort study.toml events --dry-run",
        "posology cohort study.toml events --out cohort",
        f"posology fit cohort --out model --method {steps.method}",
        "posology effect cohort --report effect.html --json effect.json",
        *([] if has_patient else ["posology template model --typical --out patient.json"]),
        "posology recommend model --patient patient.json --html patient.html",
        "posology evaluate model cohort --report value.html --json value.json",
    ]


def notebook(steps: Steps) -> str:
    """A notebook (nbformat 4.5) without outputs."""
    cells = [
        ("markdown", f"# {steps.title}\n\nRun `make` first: it makes `cohort` and `model`."),
        ("code", "import json\nfrom pathlib import Path\n\nimport posology"),
        ("markdown", "The cohort: one row a decision."),
        ("code", 'cohort = posology.read_cohort("cohort")\nlen(cohort.subject)'),
        ("markdown", "The effects that `make` estimated; `value` is on the outcome's scale."),
        (
            "code",
            'rows = json.loads(Path("effect.json").read_text("utf-8"))["rows"]\n'
            '[(row["model"], row["metric"], row["value"], row["low"], row["high"])\n'
            ' for row in rows if row["metric"] in ("value", "gain")]',
        ),
        ("markdown", "One patient."),
        (
            "code",
            'patient = json.loads(Path("patient.json").read_text("utf-8"))\n'
            'advice = posology.recommend("model", patient)\nprint(advice.summary())',
        ),
        ("markdown", "Another method, fitted here."),
        (
            "code",
            '# posology.fit(cohort, method="stack")  # takes minutes',
        ),
    ]
    return (
        json.dumps(
            {
                "cells": [
                    _cell(number, kind, text) for number, (kind, text) in enumerate(cells, 1)
                ],
                "metadata": {
                    "kernelspec": {
                        "display_name": "Python 3",
                        "language": "python",
                        "name": "python3",
                    },
                    "language_info": {"name": "python"},
                },
                "nbformat": 4,
                "nbformat_minor": 5,
            },
            indent=1,
        )
        + "\n"
    )


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell


def _render(template: str, variables: dict[str, Any]) -> str:
    return _environment().get_template(template).render(variables)


@cache
def _environment() -> Environment:
    """Templates of text files, which are not escaped."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
