"""Genomes, questionnaires and wearables of the clinic's patients in their own file formats."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.simulators.clinic.draws import make_draws
from posology.simulators.clinic.events import CODES, ROW, Events
from posology.simulators.clinic.genome import VARIANTS
from posology.simulators.clinic.population import Patients, select_rows
from posology.simulators.clinic.visits import mean_glucose, mean_steps

CONTIGS = {
    "chr3": 198295559,
    "chr6": 170805979,
    "chr10": 133797422,
    "chr11": 135086622,
    "chr16": 90338345,
}
"""Lengths in GRCh38."""
DAYS, READING = 14, 15
"""Days of a dense series, and minutes between readings."""
DENSE_EVERY = 10
"""Dense series are large: only patients whose id is a multiple of this have one."""
QUESTIONS = ("alcohol", "activity", "diet", "adherence")


def write_vcf(folder: Path, shard: int, patients: Patients) -> None:
    """Write one gzipped VCF 4.2 per chunk, a column per genotyped patient; GRCh38, unphased."""
    folder.mkdir(parents=True, exist_ok=True)
    some = select_rows(patients, np.flatnonzero(patients.is_genotyped))
    calls = np.array(["0/0", "0/1", "1/1"])
    order = sorted(VARIANTS, key=lambda v: (int(v.chromosome[3:]), v.position))
    with gzip.open(folder / f"{shard:05d}.vcf.gz", "wt", encoding="ascii", compresslevel=4) as out:
        out.write("##fileformat=VCFv4.2\n##reference=GRCh38\n")
        for name, length in CONTIGS.items():
            out.write(f"##contig=<ID={name},length={length},assembly=GRCh38>\n")
        out.write('##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n')
        head = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
        out.write("\t".join(head + [str(s) for s in some.subject_id.tolist()]) + "\n")
        for v in order:
            row = [v.chromosome, str(v.position), v.rsid, v.ref, v.alt, ".", "PASS", ".", "GT"]
            column = some.genotype[:, VARIANTS.index(v)]
            out.write("\t".join(row + calls[column].tolist()) + "\n")


def write_panel(folder: Path) -> None:
    """Write panel.csv: the named positions, for ingesting the VCF files."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "panel.csv").open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(("gene", "rsid", "chrom", "position", "ref", "alt", "strand"))
        for v in VARIANTS:
            table.writerow((v.gene, v.rsid, v.chromosome, v.position, v.ref, v.alt, "+"))


def write_questionnaires(folder: Path, events: Events) -> None:
    """Append the answers to questionnaires.csv: subject, time (UTC), question, answer."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "questionnaires.csv"
    is_new = not place.exists()
    smoking = ("never_smoker", "former_smoker", "smoker")
    rows = np.flatnonzero(np.isin(events.code, [ROW[q] for q in (*QUESTIONS, *smoking)]))
    stamp = np.datetime_as_string((events.minute[rows] * 60).astype("datetime64[s]"))
    with place.open("a", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        if is_new:
            table.writerow(("subject_id", "time", "question", "answer"))
        for row, when in zip(rows, stamp, strict=True):
            name, value = CODES[events.code[row]].name, float(events.value[row])
            answer = ("smoking", name) if name in smoking else (name, f"{value:g}")
            table.writerow((int(events.subject_id[row]), when, *answer))


def write_wearables(folder: Path, shard: int, patients: Patients, seed: int) -> None:
    """Write glucose every 15 minutes and steps every hour of the two weeks before the first visit.

    Glucose: mean from HbA1c, coefficient of variation 27 % (about the consensus' limit for stable
    glucose is 36 %: Battelino 2019, Diabetes Care 42:1593), meals and a slow drift; our choice.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_written = patients.has_wearable & (patients.subject_id % DENSE_EVERY == 0)
    some = select_rows(patients, np.flatnonzero(is_written))
    n, readings = len(some.subject_id), DAYS * 24 * 60 // READING
    draws = make_draws(seed ^ 0xC0FFEE, some.subject_id)
    clock = np.arange(readings) * READING / 60 % 24
    meals = sum(np.exp(-0.5 * ((clock - hour) / 1.2) ** 2) for hour in (9.0, 14.0, 20.0))
    glucose = np.empty((n, readings), np.float32)
    drift = draws.normal("sensor wander")
    for k in range(readings):
        drift = 0.95 * drift + np.sqrt(1 - 0.95**2) * draws.normal("sensor wander", k + 1)
        glucose[:, k] = 1 + 0.22 * drift + 0.25 * (meals[k] - meals.mean())
    glucose *= mean_glucose(some.hba1c)[:, None]
    start = ((some.start_day - DAYS) * 24 * 60).astype(np.int64)
    minute = start[:, None] + np.arange(readings) * READING
    _series(
        folder / f"glucose-{shard:05d}.parquet",
        some.subject_id,
        minute,
        ("glucose_mg_dl", np.clip(np.round(glucose), 40, 400)),
    )
    hours = DAYS * 24
    awake = np.where((np.arange(hours) % 24 >= 7) & (np.arange(hours) % 24 < 22), 1 / 15, 0.0)
    noise = np.stack([draws.normal("steps hour", k) for k in range(hours)], axis=1)
    steps = np.round(mean_steps(some)[:, None] * awake * np.exp(0.5 * noise - 0.125))
    minute = start[:, None] + np.arange(hours) * 60
    _series(
        folder / f"steps-{shard:05d}.parquet",
        some.subject_id,
        minute,
        ("steps", steps.astype(np.float32)),
    )


def _series(
    place: Path, subject_id: np.ndarray, minute: np.ndarray, column: tuple[str, np.ndarray]
) -> None:
    table = pa.table(
        {
            "subject_id": np.repeat(subject_id, minute.shape[1]),
            "time": pa.array(minute.ravel() * 60_000_000).cast(pa.timestamp("us")),
            column[0]: column[1].ravel(),
        }
    )
    pq.write_table(table, place, compression="zstd")
