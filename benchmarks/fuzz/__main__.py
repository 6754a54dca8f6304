"""Damaged inputs, flipped bits, kills and full disks: what posology does with them.

    python -m benchmarks.fuzz --trials 3000 --json out/fuzz.json --log out/fuzz.jsonl

Each trial damages one input of one kind and runs one command in a forked process. `tracebacks`
counts exceptions that nobody expected (exit code 70, or another than 0, 2 and 3) and hangs, `lost`
rows that are neither in an event nor refused, `accepted_corruption` folders with a flipped bit that
were read, `nan` answers with a NaN. A quarter of the inputs is not damaged: `valid_accepted` is the
share of those with exit code 0 or 3. Failing trials are printed with the seed that repeats them.
Each trial is a line of the log; one that the log has already is not run again, so that a run that
was cut short continues.
"""

import argparse
import importlib
import json
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from benchmarks.fuzz import commands, further_inputs, service, trials, world, writing
from benchmarks.fuzz.process import posology
from benchmarks.fuzz.trials import Outcome, Trial
from benchmarks.rows import keep, row

KINDS = trials.KINDS | further_inputs.KINDS | writing.KINDS | service.KINDS
IMPORTED = ("posology.cli", *(f"posology.workflows.{n}" for n in ("ingest", "fit", "recommend")))
"""Modules that are imported once, before the forks: most of a trial's time otherwise."""
PROBLEMS = {
    "traceback": "tracebacks",
    "lost": "lost",
    "accepted_corruption": "accepted_corruption",
    "nan": "nan",
}


def build_base(folder: Path) -> None:
    """Events, cohorts, models and a patient, each by its command in a forked process."""
    _in_child(lambda: world.write_iwpc(folder / "events.parquet"))
    _in_child(lambda: world.write_small_recipe(folder / "recipe.json"))
    _in_child(lambda: commands.write_pgx_tables(folder / "tables"))
    (folder / "study.toml").write_text(world.study_of_parts())
    events, cohort = folder / "events", folder / "cohort"
    steps = [
        ["ingest", "--meds", folder / "events.parquet", "--out", events],
        ["cohort", "iwpc", events, "--out", cohort, "--workers", "1"],
        ["fit", cohort, "--method", "logistic", "--out", folder / "model"],
        ["template", folder / "model", "--out", folder / "blank.json"],
        trials.cohort_of_parts(folder, folder / "parts", folder / "of_parts"),
        trials.fit_network(folder, folder / "run", folder / "network"),
        *_clinic_steps(folder),
    ]
    _run_steps(steps, folder)
    blank = json.loads((folder / "blank.json").read_text())
    (folder / "patient.json").write_text(json.dumps(world.patient(blank)))
    shutil.copytree(folder / "model", folder / "signed")
    _run_steps(service.sign_commands(folder), folder)
    _in_child(lambda: service.write_store(folder / "store"))


def _clinic_steps(folder: Path) -> list[list]:
    """The commands that make a cohort and a model with predictions."""
    made, cohort, model = (folder / name for name in ("clinic", "clinic_cohort", "clinic_model"))
    fits = ["fit", cohort, "--recipe", folder / "recipe.json", "--out", model]
    return [
        ["simulate", "clinic", "--patients", "60", "--out", made],
        ["cohort", "clinic", made / "meds", "--out", cohort, "--workers", "1"],
        [*fits, "--evidence-decisions", "0"],
    ]


def _run_steps(steps: list[list], folder: Path) -> None:
    for words in steps:
        ended = posology(*words, folder=folder)
        if ended.code:
            raise SystemExit(f"{words[0]}: exit {ended.code}\n{ended.error}")


def _in_child(job) -> None:
    """Run the job in a forked process, so that this one starts no threads before it forks."""
    import os

    child = os.fork()
    if child == 0:
        code = 1
        try:
            job()
            code = 0
        finally:
            os._exit(code)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("the base could not be written")


def run_trial(kind: str, seed: int, base: Path) -> Outcome:
    """One trial in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    try:
        return KINDS[kind](Trial(random.Random(f"{kind} {seed}"), folder, base))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rows_of(found: dict[str, list[Outcome]]) -> list[dict]:
    """Counts of each kind, and of all."""
    rows = []
    for kind, outcomes in {**found, "all": [o for each in found.values() for o in each]}.items():
        problems = Counter(outcome.problem for outcome in outcomes)
        counts: dict[str, float] = {"trials": len(outcomes)}
        counts |= {name: problems[key] for key, name in PROBLEMS.items()}
        valid = [outcome.accepted for outcome in outcomes if outcome.valid]
        counts["valid"] = len(valid)
        counts["valid_accepted"] = sum(valid) / len(valid) if valid else float("nan")
        rows += [row(kind, "posology", "test", name, value) for name, value in counts.items()]
    return rows


def read_log(path: Path | None) -> dict[tuple[str, int], Outcome]:
    """The trials of a log, by kind and seed."""
    if path is None or not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return {(line.pop("kind"), line.pop("seed")): Outcome(**line) for line in lines}


def main() -> None:
    """Run the trials, print what failed, and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0, help="number of the first trial")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--log", type=Path, help="a line of JSON for each trial")
    args = parser.parse_args()
    started = time.time()
    for name in IMPORTED:
        importlib.import_module(name)
    base = Path(tempfile.mkdtemp(prefix="fuzz-base-"))
    found: dict[str, list[Outcome]] = {kind: [] for kind in args.only}
    known = read_log(args.log)
    try:
        build_base(base)
        for number in range(args.seed, args.seed + args.trials):
            kind = args.only[number % len(args.only)]
            outcome = known.get((kind, number)) or run_trial(kind, number, base)
            found[kind].append(outcome)
            if outcome.problem or outcome.detail:
                said = outcome.problem or "a valid input was refused"
                print(f"{kind} --seed {number}: {said}\n{outcome.detail}\n", flush=True)
            if (kind, number) not in known:
                _append(args.log, {"kind": kind, "seed": number, **asdict(outcome)})
                keep(args.json, rows_of(found), args.seed, started)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    keep(args.json, rows_of(found), args.seed, started)
    for each in rows_of(found):
        value = "-" if each["value"] is None else f"{each['value']:g}"
        print(f"{each['study']:14} {each['metric']:20} {value}")


def _append(path: Path | None, line: dict) -> None:
    if path is not None:
        with path.open("a") as log:
            log.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
