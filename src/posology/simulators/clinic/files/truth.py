"""The truth, apart from the events: a table of decisions and a table of patients."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.simulators.clinic.adverse import HARMS
from posology.simulators.clinic.decisions import Decisions
from posology.simulators.clinic.options import NAMES, OPTIONS
from posology.simulators.clinic.population import Patients
from posology.simulators.clinic.truth import best_option

QUANTITIES = ("effective", "hba1c", "stopping", "cost")


def decision_table(decisions: Decisions) -> pa.Table:
    """One row a decision. Columns `quantity.option.dose` hold the truth of every option and dose,
    `probability.option.dose` the clinicians' own; `best` is the most effective option at its best
    dose, `best_dose` that dose in mg a day; `best_without_history`
    the choice of one who knows all but what earlier courses showed."""
    d, rows = decisions, np.arange(len(decisions.option))
    best = best_option(d.truth)
    best_level = np.nanargmax(d.truth.effective[rows, best], axis=1)
    blind = np.nanmax(d.without_history, axis=2).argmax(axis=1)
    columns = {
        "subject_id": d.subject_id,
        "time": pa.array(d.minute * 60_000_000).cast(pa.timestamp("us")),
        "hba1c": d.reported.astype(np.float32),
        "given": pa.array(NAMES).take(pa.array(d.option)),
        "given_dose": _dose(d.option, d.level),
        "logged_probability": d.probability[rows, d.option, d.level],
        "given_effective": d.truth.effective[rows, d.option, d.level],
        "stopped_for_intolerance": d.stops,
        "best": pa.array(NAMES).take(pa.array(best)),
        "best_dose": _dose(best, best_level),
        "best_without_history": pa.array(NAMES).take(pa.array(blind)),
        "best_effective": d.truth.effective[rows, best, best_level],
    }
    for k, option in enumerate(OPTIONS):
        for level, dose in enumerate(option.doses):
            place = f"{option.name}.{dose:g}"
            for name in QUANTITIES:
                columns[f"{name}.{place}"] = getattr(d.truth, name)[:, k, level].astype(np.float32)
            for h, harm in enumerate(HARMS):
                columns[f"{harm}.{place}"] = d.truth.harm[:, k, level, h].astype(np.float32)
            columns[f"probability.{place}"] = d.probability[:, k, level].astype(np.float32)
    return pa.table(columns)


def patient_table(patients: Patients) -> pa.Table:
    """One row a patient: what no record shows."""
    columns = {
        "subject_id": patients.subject_id,
        "adherence": patients.adherence,
        "activity": patients.activity,
        "diet": patients.diet,
    }
    for k, name in enumerate(NAMES):
        columns[f"trait.{name}"] = patients.trait[:, k]
        columns[f"liability.{name}"] = patients.liability[:, k]
    return pa.table(columns)


def write_truth(folder: Path, shard: int, patients: Patients, decisions: Decisions) -> None:
    """Write one chunk's truth."""
    for name, table in (
        ("decisions", decision_table(decisions)),
        ("patients", patient_table(patients)),
    ):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, place / f"{shard:05d}.parquet", compression="zstd")


def _dose(option: np.ndarray, level: np.ndarray) -> np.ndarray:
    from posology.simulators.clinic.options import doses

    return doses()[option, level].astype(np.float32)
