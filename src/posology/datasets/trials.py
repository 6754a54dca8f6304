"""Published trials and simulations, read from PyPI packages that contain them.

`lifelines` (MIT) ships ACTG 175 and GBSG-2, `causallib` (Apache-2.0) ten simulations of the ACIC
2016 challenge. Only their files are read; neither package is imported.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.errors import UserError

ACIC_INSTANCES = range(1, 11)
"""Simulations of ACIC 2016 in causallib."""
GBSG_MONTHS = 60.0
"""Horizon of GBSG-2 here: five years."""
_ACTG = (
    "age",
    "wtkg",
    "hemo",
    "homo",
    "drugs",
    "karnof",
    "oprior",
    "z30",
    "preanti",
    "race",
    "gender",
    "symptom",
    "cd40",
    "cd80",
)
_GBSG = ("age", "menostat", "tsize", "tgrade", "pnodes", "progrec", "estrec")

Column = Float64[np.ndarray, " subject"]


@dataclass(frozen=True, slots=True, eq=False)
class TrialData:
    """Patients of a trial, as published."""

    covariates: Float64[np.ndarray, "subject feature"]
    names: tuple[str, ...]
    """Names of the covariates."""
    treatment: Int64[np.ndarray, " subject"]
    options: tuple[str, ...]
    outcome: Column
    """Higher is better; NaN where the outcome is a time."""
    time: Column | None = None
    """Until the event or the end of follow-up."""
    event: Bool[np.ndarray, " subject"] | None = None
    expected: Float64[np.ndarray, "subject treatment"] | None = None
    """Mean outcome under each option, where the trial is simulated."""


def actg175() -> TrialData:
    """ACTG 175 (Hammer 1996, N Engl J Med 335:1081): 2,139 patients with HIV, four arms.

    Outcome: CD4 cells a microlitre at 20 weeks. Time: days to a fall of CD4 by half, AIDS or death.
    """
    rows = _rows("lifelines", "lifelines/datasets/ACTG175.csv")
    return TrialData(
        covariates=_numbers(rows, _ACTG),
        names=_ACTG,
        treatment=np.array([int(row["arms"]) for row in rows], dtype=np.int64),
        options=(
            "zidovudine",
            "zidovudine and didanosine",
            "zidovudine and zalcitabine",
            "didanosine",
        ),
        outcome=_numbers(rows, ("cd420",))[:, 0],
        time=_numbers(rows, ("days",))[:, 0],
        event=np.array([row["cens"] == "1" for row in rows], dtype=bool),
    )


def gbsg() -> TrialData:
    """GBSG-2 (Schumacher 1994, J Clin Oncol 12:2086): 686 women, hormonal therapy or no therapy.

    Time: months to recurrence or death. Most patients chose their therapy; it was not randomised.
    """
    rows = _rows("lifelines", "lifelines/datasets/gbsg2.csv")
    codes = {"Pre": "0", "Post": "1", "I": "1", "II": "2", "III": "3"}
    numbers = [{k: codes.get(v, v) for k, v in row.items()} for row in rows]
    time = _numbers(rows, ("time",))[:, 0] / (365.25 / 12)
    return TrialData(
        covariates=_numbers(numbers, _GBSG),
        names=_GBSG,
        treatment=np.array([row["horTh"] == "yes" for row in rows], dtype=np.int64),
        options=("no hormonal therapy", "hormonal therapy"),
        outcome=np.full(len(rows), np.nan),
        time=time,
        event=np.array([row["cens"] == "1" for row in rows], dtype=bool),
    )


def acic2016(instance: int) -> TrialData:
    """A simulation of ACIC 2016 (Dorie 2019, Statist Sci 34:43): 4,802 real covariate rows.

    Categorical covariates become one column per letter.
    """
    if instance not in ACIC_INSTANCES:
        raise UserError(f"instance {instance}: choose an ACIC 2016 simulation from 1 to 10")
    folder = "causallib/datasets/data/acic_challenge_2016"
    covariates = _rows("causallib", f"{folder}/x.csv")
    simulated = _rows("causallib", f"{folder}/zymu_{instance}.csv")
    columns: dict[str, list[float]] = {}
    for name in covariates[0]:
        values = [row[name] for row in covariates]
        letters = sorted({value for value in values if value.isalpha()})
        if not letters:
            columns[name] = [float(value) for value in values]
        for letter in letters:
            columns[f"{name} {letter}"] = [float(value == letter) for value in values]
    truth = _numbers(simulated, ("z", "y0", "y1", "mu0", "mu1"))
    treatment = truth[:, 0].astype(np.int64)
    return TrialData(
        covariates=np.array(list(columns.values())).T,
        names=tuple(columns),
        treatment=treatment,
        options=("control", "treated"),
        outcome=truth[np.arange(len(treatment)), 1 + treatment],
        expected=truth[:, 3:],
    )


def write_csv(trial: TrialData, path: Path, outcome_day: int = 140) -> None:
    """Write one row a patient, as a trial's own file has it (docs/trial-from-csv.md).

    Dates are made up: every patient enters on 2000-01-01.

    Args:
        trial: the patients.
        path: of the new file.
        outcome_day: days from entry to the outcome, where it is no time to an event.
    """
    entered = date(2000, 1, 1)
    has_time = trial.time is not None and trial.event is not None
    measured = not np.isnan(trial.outcome).all()
    extra = (("outcome", "outcome_date") if measured else ()) + (
        ("days", "event") if has_time else ()
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("patient", "entered", "arm", *trial.names, *extra))
        for row in range(len(trial.treatment)):
            values: list[object] = [row + 1, entered, trial.options[trial.treatment[row]]]
            values += [f"{value:g}" for value in trial.covariates[row]]
            if measured:
                values += [f"{trial.outcome[row]:g}", entered + timedelta(days=outcome_day)]
            if trial.time is not None and trial.event is not None:
                values += [f"{trial.time[row]:g}", "1" if trial.event[row] else ""]
            writer.writerow(values)


def _rows(package: str, path: str) -> list[dict[str, str]]:
    try:
        file = Path(str(distribution(package).locate_file(path)))
    except PackageNotFoundError:
        raise UserError(
            f"{package} is not installed; it contains the data: pip install --no-deps {package}"
        ) from None
    if not file.is_file():
        raise UserError(f"{file}: is not in this release of {package}")
    with file.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def _numbers(
    rows: Sequence[Mapping[str, str]], names: tuple[str, ...]
) -> Float64[np.ndarray, "subject column"]:
    """Columns as numbers; NaN where missing."""
    return np.array(
        [[float(row[n]) if row[n] not in ("", "NA") else np.nan for n in names] for row in rows]
    )
