"""The stream with the product itself: `posology update` each month, its gate, and its registry.

    python -m benchmarks.stream_update --patients 80000 --json out/stream_update.json

The first champion is fitted before the stream. In each month named, the events so far of all
patients but the test patients go to `posology update`: a challenger is learned and judged on fresh
patients, and promoted if the gate is open. `update` is the champion that then answers the month,
`challenger` the model that would answer without a gate, `frozen` the first champion. Value and
forgetting are the truth on test patients, as in `benchmarks.stream`; `gain_as_given` is at the
doses that clinicians give, of which alone the gate's records tell. Every look is one of the 120
of the gate's plan, which is the default one but for `--harm-margin`. A run that was cut short
continues: each month has its own copy of the registry.
"""

import argparse
import json
import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.rows import keep, row
from benchmarks.stream import BEFORE, FROZEN
from benchmarks.stream_world import (
    MONTHS,
    FittedPolicy,
    StreamWorld,
    best_value,
    draw_world_and_events,
    first_day,
    gain_of,
    learnable,
    value_of,
)
from posology import artifact
from posology.domain.cohort import TEST
from posology.lifecycle.gate.plan import GatePlan
from posology.lifecycle.registry.changes import Author, promote
from posology.lifecycle.registry.state import read_registry
from posology.lifecycle.registry.versions import verify_version
from posology.simulators.clinic.drift import SEMAGLUTIDE_FALL
from posology.simulators.clinic.options import OPTIONS
from posology.workflows.fit import fit
from posology.workflows.over_time.plan import set_plan
from posology.workflows.over_time.registry import add_model
from posology.workflows.over_time.update import Learning, NewRecords, UpdateResult, update

UPDATE, CHALLENGER = "update", "challenger"
AUTHOR = Author("benchmark", "the stream")
_FIRST = "registry-start"
Rows = list[dict]


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """The world with its events, and where registries are kept."""

    world: StreamWorld
    events: pa.Table
    work: Path
    how: tuple[str, int]
    """Method and seed."""
    recent: int | None
    """Months of complete outcomes that challengers learn from; None: all."""
    harm_margin: float
    """Largest increase of a harm that the gate need not exclude."""

    @property
    def start(self) -> Path:
        """The registry with the first champion, which is fitted if there is none."""
        folder = self.work / _FIRST
        if not folder.exists():
            model, draft = self.work / "first", self.work / "registry-draft"
            for stale in (model, draft):
                shutil.rmtree(stale, ignore_errors=True)
            method, seed = self.how
            before = learnable(self.world, 0)
            fit(before, method, seed, evidence_decisions=0, progress=_silent).save(model)
            entry = add_model(draft, model, AUTHOR).entry
            promote(read_registry(draft), entry.digest, AUTHOR)
            settings = self.work / "plan.toml"
            settings.write_text(f"harm_margin = {self.harm_margin}\n", encoding="utf-8")
            set_plan(draft, settings, AUTHOR)
            draft.rename(folder)
        return folder

    def since(self, month: int) -> float | None:
        """The first decisions whose outcomes were complete `recent` months before a month."""
        if self.recent is None:
            return None
        within = self.world.cohort.study.outcome.within_days
        return first_day(month - self.recent) - within

    def events_until(self, month: int) -> pa.Table:
        """Events before a month of the stream; none of test patients."""
        cohort = self.world.cohort
        tested = cohort.history.subject_id[np.unique(cohort.subject[cohort.split == TEST])]
        day = np.datetime64(int(first_day(month)), "D").astype("datetime64[us]")
        early = pc.less(self.events["time"], pa.scalar(day, self.events.schema.field("time").type))
        kept = pc.or_kleene(pc.is_null(self.events["time"]), early)
        is_tested = pc.is_in(self.events["subject_id"], pa.array(tested))
        return self.events.filter(pc.and_(kept, pc.invert(is_tested)))


def _silent(*_: object) -> None:
    """Progress is printed by month."""


def run_month(stream: Stream, registry: Path, month: int) -> tuple[Path, UpdateResult, float]:
    """A copy of the registry after the month's update, the verdict, and its CPU-seconds."""
    folder, draft = stream.work / f"registry-{month:02d}", stream.work / "registry-draft"
    challenger = stream.work / f"challenger-{month:02d}"
    for stale in (draft, challenger):
        shutil.rmtree(stale, ignore_errors=True)
    shutil.copytree(registry, draft)
    records = NewRecords(stream.events_until(month))
    learning = Learning(stream.how[1], evidence_decisions=0, since=stream.since(month))
    began = time.process_time()
    result = update(draft, records, challenger, AUTHOR, learning, _silent)
    if result.verdict.is_open:
        promote(read_registry(draft), result.challenger, AUTHOR)
    seconds = time.process_time() - began
    draft.rename(folder)
    return folder, result, seconds


def month_rows(
    stream: Stream, month: int, models: dict[str, FittedPolicy], frozen: FittedPolicy
) -> Rows:
    """Value of each model in the month, and what it forgot of the half year before the stream."""
    world, rows = stream.world, []
    old = (world.month >= -BEFORE) & (world.month < 0)
    before = value_of(world, frozen, old)[0]
    for name, policy in models.items():
        value, error, n = value_of(world, policy, world.month == month)
        bounds = {"low": value - 1.96 * error, "high": value + 1.96 * error}
        rows.append(row("stream", name, "months", "value", value, **bounds, month=month, n=n))
        lost = before - value_of(world, policy, old)[0]
        rows.append(row("stream", name, "months", "forgetting", lost, month=month, n=n))
        for metric, priced in (
            ("gain_over_frozen", world),
            ("gain_as_given", replace(world, value=world.value_as_given)),
        ):
            gain, error = gain_of(priced, policy, frozen, world.month == month)
            bounds = {"low": gain - 1.96 * error, "high": gain + 1.96 * error}
            rows.append(row("stream", name, "months", metric, gain, **bounds, month=month))
    best = best_value(world, world.month == month)
    return [*rows, row("stream", "best", "months", "value", best, month=month)]


def verdict_rows(result: UpdateResult, month: int, seconds: float) -> Rows:
    """The gate's verdict, requirement by requirement, and the cost of the update."""
    names = {"month": month, "look": result.look}
    rows = [r | {"study": "stream", "model": UPDATE, "split": "fresh"} | names for r in result.rows]
    opened = float(result.verdict.is_open)
    rows.append(row("stream", UPDATE, "months", "gate_is_open", opened, **names))
    return [*rows, row("stream", UPDATE, "months", "seconds", seconds, month=month)]


def _champion(registry: Path) -> Path:
    return verify_version(registry, read_registry(registry).champion)


def fitted(folder: Path) -> FittedPolicy:
    """A saved policy as it is: it says itself which options it learned."""
    return FittedPolicy(artifact.load(folder).policy, np.ones(len(OPTIONS), dtype=bool))


def main() -> None:
    """One month after another; each is kept as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=80_000)
    parser.add_argument("--seed", type=int, default=2027)
    parser.add_argument("--method", default="logistic")
    parser.add_argument("--months", default=",".join(map(str, range(MONTHS))))
    parser.add_argument("--new-drug-fall", type=float, default=SEMAGLUTIDE_FALL)
    parser.add_argument("--recent", type=int, help="months of complete outcomes to learn from")
    parser.add_argument("--harm-margin", type=float, default=GatePlan().harm_margin)
    parser.add_argument("--work", type=Path, default=Path("out/stream_update"))
    args = parser.parse_args()
    started = time.time()
    args.work.mkdir(parents=True, exist_ok=True)
    rows: Rows = json.loads(args.json.read_text())["rows"] if args.json.exists() else []
    world, events = draw_world_and_events(args.patients, args.seed, args.new_drug_fall)
    stream = Stream(
        world, events, args.work, (args.method, args.seed), args.recent, args.harm_margin
    )
    registry = stream.start
    frozen = fitted(_champion(registry))
    print(f"{args.patients:,} patients; first champion fitted", flush=True)
    for month in map(int, args.months.split(",")):
        done = {r["metric"]: r for r in rows if r.get("month") == month and r["model"] == UPDATE}
        if "seconds" in done:
            registry = args.work / f"registry-{month:02d}"
            continue
        registry, result, seconds = run_month(stream, registry, month)
        models = {
            FROZEN: frozen,
            UPDATE: fitted(_champion(registry)),
            CHALLENGER: fitted(args.work / f"challenger-{month:02d}"),
        }
        rows += month_rows(stream, month, models, frozen) + verdict_rows(result, month, seconds)
        keep(args.json, rows, args.seed, started)
        own = [r for r in rows if r["month"] == month and r["split"] == "months"]
        values = {r["model"]: r["value"] for r in own if r["metric"] == "value"}
        text = ", ".join(f"{name} {values[name]:.3f}" for name in (*models, "best"))
        print(f"month {month + 1}: gate open {result.verdict.is_open}; {text}", flush=True)


if __name__ == "__main__":
    main()
