"""Percent time in range of warfarin protocols in two published worlds, by genotype.

    python -m benchmarks.warfarin --patients 10000 --json FILE

Covariates are those of real IWPC patients, responses are simulated: semi-synthetic, always.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.rows import row, write
from posology.datasets import iwpc as iwpc_data
from posology.simulators.warfarin import (
    CYP2C9,
    VKORC1,
    Patients,
    bodies_2007,
    bodies_2010,
    draw,
)
from posology.simulators.warfarin_course import Act, Outcome, begin, care
from posology.simulators.warfarin_protocols import (
    Habits,
    clinicians,
    cpic,
    fixed,
    iwpc,
    obey,
    standard,
)

WORLDS = {"warfarin2007": bodies_2007, "warfarin2010": bodies_2010}
POLICIES: dict[str, Act] = {
    "fixed": obey(fixed),
    "standard_nomogram": obey(standard),
    "formula_nomogram": obey(iwpc),
    "cpic_nomogram": obey(cpic),
    "logged": clinicians(Habits()),
}
DRUGS = ("amiodarone", "carbamazepine", "phenytoin", "rifampicin")
GROUPS = ("usual", "sensitive", "very sensitive")


def group(patients: Patients) -> np.ndarray:
    """The three classes of the label's genotype table (0, 1, 2: rows of GROUPS)."""
    table = np.array([[0, 0, 1, 1, 1, 2], [0, 1, 1, 1, 2, 2], [1, 1, 2, 2, 2, 2]])
    return table[patients.vkorc1, patients.cyp2c9]


def summary(study: str, model: str, outcome: Outcome, groups: np.ndarray) -> list[dict]:
    """The rows of one policy in one world."""
    metrics = {
        "time_in_range": outcome.time_in_range,
        "inr_over_4": outcome.over_4.astype(np.float64),
        "inr_over_5": outcome.over_5.astype(np.float64),
        "stable": np.isfinite(outcome.days_to_stable).astype(np.float64),
    }
    rows = []
    for metric, values in metrics.items():
        for name, keep in (
            ("", np.ones(len(values), dtype=bool)),
            *((label, groups == number) for number, label in enumerate(GROUPS)),
        ):
            chosen = values[keep]
            error = 1.96 * chosen.std() / np.sqrt(max(len(chosen), 1))
            extra = {"low": chosen.mean() - error, "high": chosen.mean() + error, "n": len(chosen)}
            if name:
                extra["group"] = name
            rows.append(row(study, model, "test", metric, float(chosen.mean()), **extra))
    return rows


def iwpc_patients() -> Patients:
    """The real patients whose age, size and both genes are known, as arrays."""
    events = iwpc_data.load().events.select(["subject_id", "code", "numeric_value"]).to_pydict()
    subjects = max(events["subject_id"]) + 1
    number = {name: np.full(subjects, np.nan) for name in ("AGE_DECADE", "HEIGHT", "WEIGHT")}
    coded = {
        "GENOTYPE//CYP2C9": CYP2C9,
        "GENOTYPE//VKORC1_rs9923231": VKORC1,
        "RACE": ("White", "Asian", "Black", "Unknown"),
    }
    row_of = {f"{family}//{name}": (family, row) for family, names in coded.items()
              for row, name in enumerate(names)}  # fmt: skip
    codes = {family: np.full(subjects, -1, np.int64) for family in coded}
    taken = {name: np.zeros(subjects) for name in DRUGS}
    for subject, code, value in zip(*events.values(), strict=True):
        if code in number:
            number[code][subject] = value
        elif code in row_of:
            codes[row_of[code][0]][subject] = row_of[code][1]
        elif code.startswith("DRUG//") and code.endswith("//yes") and code[6:-5] in taken:
            taken[code[6:-5]][subject] = 1.0
    known = ~np.isnan(np.column_stack(list(number.values()))).any(axis=1)
    known &= (np.column_stack(list(codes.values())) >= 0).all(axis=1)
    inducer = np.maximum.reduce([taken[name] for name in DRUGS[1:]])
    return Patients(
        age=number["AGE_DECADE"][known] * 10 + 5,  # the middle of the decade
        height=number["HEIGHT"][known],
        weight=number["WEIGHT"][known],
        cyp2c9=codes["GENOTYPE//CYP2C9"][known],
        vkorc1=codes["GENOTYPE//VKORC1_rs9923231"][known],
        race=codes["RACE"][known],
        amiodarone=taken["amiodarone"][known],
        inducer=inducer[known],
    )


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started, known, rows = time.time(), iwpc_patients(), []
    for study, world in WORLDS.items():
        for model, act in POLICIES.items():
            rng = np.random.default_rng(arguments.seed)
            patients = draw(known, arguments.patients, rng)
            outcome = care(begin(patients, world(patients, rng)), act, rng)
            rows += summary(study, model, outcome, group(patients))
    write(arguments.json, rows, arguments.seed, started)


if __name__ == "__main__":
    main()
