"""One trial of each kind: damage an input, run a command, and judge how it ended."""

import json
import math
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fuzz import mutations, world
from benchmarks.fuzz.process import Ended, posology

REFORMATTED = ("checksums.json", "state.json")
"""Files that are compared by their JSON, so that a changed space is none."""
INTACT = 0.25
"""Share of trials whose input is not damaged (our choice)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one trial ended."""

    valid: bool
    """Whether the input was not damaged."""
    accepted: bool
    """Whether the command ended with 0, or with 3 (rows lost, and said so)."""
    problem: str | None = None
    """traceback, lost, accepted_corruption or nan; None if all is well."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial has."""

    chosen: random.Random
    folder: Path
    """An empty folder of its own."""
    base: Path
    """Events, cohort and model, built once; never changed."""

    @property
    def is_intact(self) -> bool:
        """Drawn anew at each call: whether to leave the input as it is."""
        return self.chosen.random() < INTACT


def judge(ended: Ended, valid: bool, lost: str = "") -> Outcome:
    """The outcome of a command; `lost` says which rows are missing."""
    accepted = ended.code in (0, 3)
    if ended.code not in (0, 2, 3) or "Traceback" in ended.error:
        return Outcome(valid, accepted, "traceback", f"exit {ended.code}: {ended.error[-1500:]}")
    if accepted and lost:
        return Outcome(valid, accepted, "lost", lost)
    if ended.code == 2 and not ended.error.strip():
        return Outcome(valid, accepted, "traceback", "exit 2 without a word")
    detail = ended.error[-400:] if valid and not accepted else ""
    return Outcome(valid, accepted, None, detail)


def missing_rows(out: Path, expected: int) -> str:
    """Which rows of a folder are neither in an event nor refused; empty if none is."""
    import pyarrow.parquet as pq

    if not (out / "manifest.json").exists():
        return ""
    last = json.loads((out / "manifest.json").read_text())["last"]
    read = sum(last["sources"].values())
    rejected = pq.read_table(out / "rejected.parquet").num_rows
    if rejected != last["unreadable"] + sum(last["rejected"].values()):
        return f"{rejected} rejected rows, but {last['unreadable']} and {last['rejected']}"
    return "" if read >= expected else f"{expected} rows were written, {read} were read"


def ingest_csv(trial: Trial) -> Outcome:
    """A table with odd cells or bytes, read by a mapping."""
    rows, valid, expected = world.labs(), trial.is_intact, world.ROWS
    if not valid and trial.chosen.random() < 0.6:
        rows = [rows[0], *mutations.of_cells(rows[1:], trial.chosen)]
        data = world.to_csv(rows)
    else:
        data = world.to_csv(rows)
        if not valid:
            data, expected = mutations.of_bytes(data, trial.chosen), 0
    (trial.folder / "labs.csv").write_bytes(data)
    (trial.folder / "labs.toml").write_text(world.MAPPING)
    return ingest_words(trial, ["--table", trial.folder / "labs.toml"], valid, expected)


def ingest_words(trial: Trial, words: list, valid: bool, expected: int = 0) -> Outcome:
    """Ingest these sources, and look for rows that are missing of those `expected`."""
    out = trial.folder / "out"
    ended = posology("ingest", *words, "--out", out, folder=trial.folder)
    return judge(ended, valid, missing_rows(out, expected) if ended.code in (0, 3) else "")


def ingest_mapping(trial: Trial) -> Outcome:
    """A damaged mapping file."""
    valid = trial.is_intact
    text = world.MAPPING if valid else mutations.of_toml(world.MAPPING, trial.chosen)
    (trial.folder / "labs.csv").write_bytes(world.to_csv(world.labs()))
    (trial.folder / "labs.toml").write_text(text, encoding="utf-8")
    return ingest_words(trial, ["--table", trial.folder / "labs.toml"], valid)


def ingest_ndjson(trial: Trial) -> Outcome:
    """Lines of FHIR with odd values or bytes."""
    valid, chosen = trial.is_intact, trial.chosen
    resources = world.resources()
    expected = len(resources)
    if not valid:
        at = chosen.randrange(len(resources))
        resources[at] = mutations.of_json(resources[at], chosen)
    lines = [json.dumps(resource) for resource in resources]
    if not valid and chosen.random() < 0.3:
        at = chosen.randrange(len(lines))
        lines[at] = mutations.json_text(resources[at], chosen)
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    if not valid and chosen.random() < 0.3:
        data, expected = mutations.of_bytes(data, chosen), 0
    (trial.folder / "a.ndjson").write_bytes(data)
    return ingest_words(trial, ["--fhir", trial.folder / "a.ndjson"], valid, expected)


def ingest_bundle(trial: Trial) -> Outcome:
    """A Bundle with odd values or bytes."""
    valid, chosen = trial.is_intact, trial.chosen
    entries = [{"resource": resource} for resource in world.resources()]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    if valid:
        data = json.dumps(bundle).encode()
    else:
        text = mutations.json_text(mutations.of_json(bundle, chosen), chosen)
        data = text.encode("utf-8", "surrogatepass")
        data = mutations.of_bytes(data, chosen) if chosen.random() < 0.3 else data
    (trial.folder / "a.json").write_bytes(data)
    return ingest_words(trial, ["--fhir", trial.folder / "a.json"], valid)


def ingest_omop(trial: Trial) -> Outcome:
    """Tables of a CDM with odd cells or bytes."""
    valid, tables = trial.is_intact, world.cdm()
    expected = sum(len(rows) - 1 for rows in tables.values())
    for name, rows in tables.items():
        damaged = rows
        if not valid and trial.chosen.random() < 0.6:
            damaged = [rows[0], *mutations.of_cells(rows[1:], trial.chosen)]
        data = world.to_csv(damaged)
        if not valid and trial.chosen.random() < 0.2:
            data, expected = mutations.of_bytes(data, trial.chosen), 0
        (trial.folder / f"{name}.csv").write_bytes(data)
    return ingest_words(trial, ["--omop", trial.folder], valid, expected)


def ingest_vcf(trial: Trial) -> Outcome:
    """A damaged VCF."""
    valid = trial.is_intact
    data = world.VCF.encode()
    data = data if valid else mutations.of_bytes(data, trial.chosen)
    (trial.folder / "s.vcf").write_bytes(data)
    (trial.folder / "panel.csv").write_text(world.PANEL)
    (trial.folder / "g.toml").write_text(f'panel = "{trial.folder / "panel.csv"}"\n')
    words = ["--vcf", trial.folder / "g.toml", "--vcf", trial.folder / "s.vcf"]
    return ingest_words(trial, words, valid)


def ingest_meds(trial: Trial) -> Outcome:
    """A damaged Parquet file of events."""
    valid = trial.is_intact
    data = (trial.base / "events.parquet").read_bytes()
    data = data if valid else mutations.of_bytes(data, trial.chosen)
    (trial.folder / "e.parquet").write_bytes(data)
    return ingest_words(trial, ["--meds", trial.folder / "e.parquet"], valid)


def read_study(trial: Trial) -> Outcome:
    """A damaged study file."""
    from posology.cohorts.study.reader import shipped_study_path

    valid, text = trial.is_intact, shipped_study_path("iwpc").read_text("utf-8")
    text = text if valid else mutations.of_toml(text, trial.chosen)
    (trial.folder / "study.toml").write_text(text, encoding="utf-8")
    words = ["cohort", trial.folder / "study.toml", trial.base / "events", "--dry-run"]
    return judge(posology(*words, folder=trial.folder), valid)


def recommend(trial: Trial) -> Outcome:
    """A damaged patient's form; the answer has no NaN."""
    valid, chosen = trial.is_intact, trial.chosen
    form = json.loads((trial.base / "patient.json").read_text())
    if valid:
        text = json.dumps(form)
    else:
        facts = {**form, "facts": mutations.of_json(form["facts"], chosen)}
        damaged = facts if chosen.random() < 0.7 else mutations.of_json(form, chosen)
        text = mutations.json_text(damaged, chosen)
    data = text.encode("utf-8", "surrogatepass")
    if not valid and chosen.random() < 0.2:
        data = mutations.of_bytes(data, chosen)
    path, answer = trial.folder / "p.json", trial.folder / "answer.json"
    path.write_bytes(data)
    words = ["recommend", trial.base / "model", "--patient", path, "--json", answer]
    ended = posology(*words, folder=trial.folder)
    outcome = judge(ended, valid)
    if outcome.problem is None and ended.code == 0 and _has_nan(answer):
        return Outcome(valid, True, "nan", answer.read_text()[:400])
    return outcome


def _has_nan(path: Path) -> bool:
    found: list[str] = []
    json.loads(path.read_text(), parse_constant=lambda name: found.append(name) or math.nan)
    return bool(found)


def _flipped(trial: Trial, name: str, words: Callable[[Path], list]) -> Outcome:
    """A folder with one flipped bit is refused, one without is read."""
    valid, copy = trial.is_intact, trial.folder / name
    shutil.copytree(trial.base / name, copy)
    if not valid:
        files = sorted(p for p in copy.rglob("*") if p.is_file() and p.stat().st_size)
        path = trial.chosen.choice(files)
        before = path.read_bytes()
        after = mutations.flip(before, trial.chosen)
        path.write_bytes(after)
        if path.name in REFORMATTED and _same_json(before, after):
            valid = True
    ended = posology(*words(copy), folder=trial.folder)
    if not valid and ended.code == 0:
        return Outcome(valid, True, "accepted_corruption", str(path.relative_to(copy)))
    return judge(ended, valid)


def _same_json(before: bytes, after: bytes) -> bool:
    try:
        return json.loads(before) == json.loads(after)
    except ValueError:
        return False


def flip_events(trial: Trial) -> Outcome:
    """A flipped bit in a folder of events."""
    return _flipped(trial, "events", lambda copy: ["cohort", "iwpc", copy, "--dry-run"])


def flip_cohort(trial: Trial) -> Outcome:
    """A flipped bit in a cohort's folder."""
    out = trial.folder / "fitted"
    return _flipped(
        trial, "cohort", lambda copy: ["fit", copy, "--method", "logistic", "--out", out]
    )


def flip_model(trial: Trial) -> Outcome:
    """A flipped bit in a saved policy."""
    patient = trial.base / "patient.json"
    return _flipped(trial, "model", lambda copy: ["recommend", copy, "--patient", patient])


def cohort_of_parts(base: Path, parts: Path, out: Path) -> list:
    """The command that builds a cohort with cached parts."""
    made = ["cohort", base / "study.toml", base / "events", "--parts", parts, "--out", out]
    return [*made, "--workers", "1"]


def fit_network(base: Path, run: Path, out: Path) -> list:
    """The command that trains the network with checkpoints."""
    words = ["fit", base / "cohort", "--recipe", base / "recipe.json", "--resume", run]
    return [*words, "--out", out, "--evidence-decisions", "0"]


def flip_parts(trial: Trial) -> Outcome:
    """A flipped bit in the cached parts of a cohort."""
    out = trial.folder / "again"
    return _flipped(trial, "parts", lambda copy: cohort_of_parts(trial.base, copy, out))


def flip_checkpoint(trial: Trial) -> Outcome:
    """A flipped bit in a folder of checkpoints."""
    return _flipped(
        trial, "run", lambda copy: fit_network(trial.base, copy, trial.folder / "again")
    )


def kill_fit(trial: Trial) -> Outcome:
    """Training killed at a random moment and run again ends with the same weights."""
    out = trial.folder / "network"
    words = fit_network(trial.base, trial.folder / "run", out)
    posology(*words, folder=trial.folder, kill_after=trial.chosen.uniform(0.0, 6.0))
    if not out.exists():
        ended = posology(*words, folder=trial.folder)
        if ended.code:
            return judge(ended, True)
    whole = sorted((trial.base / "network").rglob("*.safetensors"))
    same = all(p.read_bytes() == (out / p.name).read_bytes() for p in whole)
    return Outcome(True, True, None if same else "lost", "" if same else "other weights")


def kill_ingest(trial: Trial) -> Outcome:
    """A run killed at a random moment leaves no damage; the next run gives the same events."""
    (trial.folder / "labs.csv").write_bytes(world.to_csv(world.labs()))
    (trial.folder / "labs.toml").write_text(world.MAPPING)
    words = ["ingest", "--table", trial.folder / "labs.toml", "--out", trial.folder / "out"]
    posology(*words, folder=trial.folder, kill_after=trial.chosen.uniform(0.0, 1.5))
    ended = posology(*words, folder=trial.folder)
    lost = missing_rows(trial.folder / "out", 0) if ended.code == 0 else ""
    left = [p.name for p in trial.folder.iterdir() if p.name.startswith(".out.ingesting")]
    if left and ended.code == 0:
        lost = f"{left} is left"
    return judge(ended, True, lost)


def kill_cohort(trial: Trial) -> Outcome:
    """The same of a cohort."""
    out = trial.folder / "cohort"
    words = ["cohort", "iwpc", trial.base / "events", "--out", out, "--workers", "1"]
    posology(*words, folder=trial.folder, kill_after=trial.chosen.uniform(0.0, 1.5))
    finished = out.exists()
    if not finished:
        for draft in trial.folder.glob(".cohort-*"):  # as if a minute had gone by
            os.utime(draft, (time.time() - 100,) * 2)
        ended = posology(*words, folder=trial.folder)
        if ended.code != 0 or list(trial.folder.glob(".cohort-*")):
            return judge(ended, True, "a draft is left")
    same = all(
        (trial.base / "cohort" / p.name).read_bytes() == p.read_bytes()
        for p in out.iterdir()
        if p.suffix == ".bin"
    )
    return Outcome(True, True, None if same else "lost", "" if same else "other arrays")


def full_disk(trial: Trial) -> Outcome:
    """Files that may not grow, as on a full disk: one paragraph, and no folder."""
    (trial.folder / "labs.csv").write_bytes(world.to_csv(world.labs()))
    (trial.folder / "labs.toml").write_text(world.MAPPING)
    out = trial.folder / "out"
    words: list = ["ingest", "--table", trial.folder / "labs.toml", "--out", out]
    if trial.chosen.random() < 0.5:
        words = ["cohort", "iwpc", trial.base / "events", "--out", out, "--workers", "1"]
    most = trial.chosen.choice([0, 100, 1_000, 3_000, 10_000, 2 << 20])
    ended = posology(*words, folder=trial.folder, before=lambda: limit_files(most))
    if most == 0 and not ended.error:  # nor may the file grow that its words are written to
        ended = Ended(ended.code, "not a word could be written")
    if ended.code == 2 and out.exists():
        return Outcome(False, False, "lost", "a failed run left a folder")
    return judge(ended, False)


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond the size."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


KINDS: dict[str, Callable[[Trial], Outcome]] = {
    "csv": ingest_csv,
    "mapping": ingest_mapping,
    "ndjson": ingest_ndjson,
    "bundle": ingest_bundle,
    "omop": ingest_omop,
    "vcf": ingest_vcf,
    "meds": ingest_meds,
    "study": read_study,
    "patient": recommend,
    "events_bytes": flip_events,
    "cohort_bytes": flip_cohort,
    "model_bytes": flip_model,
    "parts_bytes": flip_parts,
    "run_bytes": flip_checkpoint,
    "kill_ingest": kill_ingest,
    "kill_cohort": kill_cohort,
    "kill_fit": kill_fit,
    "full_disk": full_disk,
}
