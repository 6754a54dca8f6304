"""The truth, in a folder of its own: a table of decisions and a table of patients."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.simulators.clinic.harms import HARMS
from posology.simulators.clinic.options import NAMES, OPTIONS, doses
from posology.simulators.clinic.population import Patients
from posology.simulators.clinic.truth import ClinicDecisions, best_option

QUANTITIES = ("effective", "hba1c", "stopping", "cost")


def decision_table(decisions: ClinicDecisions) -> pa.Table:
    """One row per decision.

    Columns `quantity.option.dose` hold the truth of every option and dose,
    `probability.option.dose` the clinicians' choice probabilities; `best` is the most effective
    option at its best dose, `best_dose` that dose in mg a day; `best_without_history` is the best
    option for all patients who differ only in their lasting traits.
    """
    d, rows = decisions, np.arange(len(decisions.option))
    best = best_option(d.truth)
    best_level = np.nanargmax(d.truth.effective[rows, best], axis=1)
    no_history = np.nanmax(d.effective_without_history, axis=2).argmax(axis=1)
    columns = {
        "subject_id": d.subject_id,
        "time": pa.array(d.minute * 60_000_000).cast(pa.timestamp("us")),
        "hba1c": d.reported_hba1c.astype(np.float32),
        "given": pa.array(NAMES).take(pa.array(d.option)),
        "given_dose": _dose(d.option, d.level),
        "logged_probability": d.choice_probability[rows, d.option, d.level],
        "given_effective": d.truth.effective[rows, d.option, d.level],
        "stopped_for_intolerance": d.is_stopped,
        "best": pa.array(NAMES).take(pa.array(best)),
        "best_dose": _dose(best, best_level),
        "best_without_history": pa.array(NAMES).take(pa.array(no_history)),
        "best_effective": d.truth.effective[rows, best, best_level],
    }
    for k, option in enumerate(OPTIONS):
        for level, dose in enumerate(option.doses):
            place = f"{option.name}.{dose:g}"
            for name in QUANTITIES:
                columns[f"{name}.{place}"] = getattr(d.truth, name)[:, k, level].astype(np.float32)
            for h, harm in enumerate(HARMS):
                columns[f"{harm}.{place}"] = d.truth.harm[:, k, level, h].astype(np.float32)
            columns[f"probability.{place}"] = d.choice_probability[:, k, level].astype(np.float32)
    return pa.table(columns)


def patient_table(patients: Patients) -> pa.Table:
    """One row per patient, with what is not in the records."""
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


def write_truth(folder: Path, shard: int, patients: Patients, decisions: ClinicDecisions) -> None:
    """Write one chunk's truth."""
    for name, table in (
        ("decisions", decision_table(decisions)),
        ("patients", patient_table(patients)),
    ):
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, place / f"{shard:05d}.parquet", compression="zstd")


def _dose(option: np.ndarray, level: np.ndarray) -> np.ndarray:
    return doses()[option, level].astype(np.float32)
