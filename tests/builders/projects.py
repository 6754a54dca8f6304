"""A small trial's table, as somebody keeps it."""

import csv
from pathlib import Path


def write_trial(path: Path, patients: int = 40) -> None:
    """One row a patient: two arms, age, site, a death within 30 days; two outcomes are empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["patient_id", "enrolled", "arm", "age", "diabetes", "died", "remarks"])
        for i in range(patients):
            died = "" if i in (3, 8) else int(i % 5 == 0)
            arm = ("placebo", "drug")[i % 2]
            remark = f"remark {i} on this patient, in words that differ from row to row"
            row = [
                100 + i,
                f"2020-01-{1 + i % 28:02d}",
                arm,
                30 + i,
                "yn"[i % 3 == 0],
                died,
                remark,
            ]
            writer.writerow(row)
