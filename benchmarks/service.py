"""Latency and throughput of the service on this machine: authenticated, stored and audited.

python -m benchmarks.service --json out/service.json

Model: the demonstration's (IWPC if installed, else the virtual clinic), or `--model FOLDER`. The
clients run on the same cores, so that the service has less than all of them.

`--hooks 20000` measures CDS Hooks calls instead (`benchmarks.hook_calls`).
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from benchmarks.hook_calls import measure_hooks
from benchmarks.serving import (
    Service,
    connect,
    describe_service,
    machine,
    percentile,
    processor_seconds,
    resident_mib,
    started,
    timed,
)
from posology import artifact
from posology.service.demo.model import clinic_model, demo_model
from posology.service.store import verify_audit
from posology.service.store.existing import existing_store
from posology.service.store.tables import SHADOWS
from posology.workflows.patient import form_of

CLIENTS = (1, 8, 32)
_PATH = "/recommendations"
_SHARE_LEFT_OUT = 0.3
"""Share of the facts that is left out, so that answers differ and some cannot be given."""


@dataclass(slots=True)
class Measured:
    """What one run of some clients found."""

    milliseconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    processor_seconds: float = 0.0
    """Of the service and its workers."""

    def row(self, clients: int) -> dict[str, Any]:
        """One row of the table."""
        return {
            "clients": clients,
            "calls": len(self.milliseconds),
            "p50_ms": percentile(self.milliseconds, 0.5),
            "p99_ms": percentile(self.milliseconds, 0.99),
            "max_ms": max(self.milliseconds),
            "per_second": len(self.milliseconds) / self.seconds,
            "cpu_ms_a_call": 1000 * self.processor_seconds / len(self.milliseconds),
            "refused": self.statuses[422],
            "errors": sum(n for status, n in self.statuses.items() if status not in (201, 422)),
            "statuses": dict(self.statuses),
        }


async def call_all(service: Service, clients: int, bodies: list[bytes]) -> Measured:
    """Send every body once, by so many clients at the same time."""
    tokens = [service.token(_PATH) for _ in bodies]  # signing is not the service's work
    waiting = list(zip(tokens, bodies, strict=True))
    measured = Measured()

    async def work() -> None:
        client = await connect(service)
        while waiting:
            token, body = waiting.pop()
            (status, _), milliseconds = await timed(client.post(_PATH, token, body))
            measured.milliseconds.append(milliseconds)
            measured.statuses[status] += 1
        client.writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    measured.seconds = time.perf_counter() - began
    return measured


def made_up_bodies(model: Path, count: int, reasons: bool) -> list[bytes]:
    """Questions about made-up patients, each with some facts left out."""
    rng = random.Random(0)
    fields = [f for f in form_of(artifact.load(model)).fields if f.is_listed]
    bodies = []
    for number in range(count):
        facts: dict[str, Any] = {}
        for one in fields:
            low, high = one.seen.low, one.seen.high
            if rng.random() < _SHARE_LEFT_OUT:
                continue
            if one.kind == "choice":
                facts[one.name] = rng.choice(one.choices)[0]
            elif one.kind == "number" and low is not None and high is not None:
                facts[one.name] = round(rng.uniform(low, high), 1)
        form = {"facts": facts}
        body = {"form": form, "patient_id": str(number), "reasons": reasons}
        bodies.append(json.dumps(body).encode())
    return bodies


def measure(service: Service, model: Path, calls: int, long_calls: int) -> list[dict[str, Any]]:
    """All rows: each number of clients without and with reasons, then memory over many calls."""
    rows = []
    with started(service) as process:
        asyncio.run(call_all(service, 4, made_up_bodies(model, 40, reasons=True)))  # warm
        for reasons in (False, True):
            for clients in CLIENTS:
                bodies = made_up_bodies(model, calls, reasons)
                before = processor_seconds(process)
                measured = asyncio.run(call_all(service, clients, bodies))
                measured.processor_seconds = processor_seconds(process) - before
                row = measured.row(clients)
                rows.append({"reasons": reasons, **row})
                print(rows[-1], flush=True)
        if long_calls:
            rows.append(_measure_memory(service, process, model, long_calls))
            print(rows[-1], flush=True)
    return rows


def _measure_memory(service: Service, process: Any, model: Path, calls: int) -> dict[str, Any]:
    first = min(1000, calls // 2)
    asyncio.run(call_all(service, 8, made_up_bodies(model, first, reasons=False)))
    before = resident_mib(process)
    measured = asyncio.run(call_all(service, 8, made_up_bodies(model, calls - first, False)))
    after = resident_mib(process)
    return {
        "reasons": False,
        **measured.row(8),
        "mib_after_first": before,
        "mib_at_end": after,
        "growth": after / before - 1,
    }


def _answered(row: dict[str, Any]) -> int:
    """Answers that must be in the audit log."""
    if "replies" in row:
        return row["replies"].get("200 with a card", 0)
    return row["statuses"].get(201, 0)


def _measure_hooks(service: Service, model: Path, calls: int) -> list[dict[str, Any]]:
    with started(service) as process:
        rows = [measure_hooks(service, process, model, calls)]
    print(rows[-1], flush=True)
    return rows


def count_shadows(connection: Connection) -> dict[str, int]:
    """Answers of challengers by state."""
    query = select(SHADOWS.c.state, func.count()).group_by(SHADOWS.c.state)
    return {row[0]: row[1] for row in connection.execute(query)}


def main() -> None:
    """Measure, check that every answer was audited, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--long-calls", type=int, default=0, help="Calls to judge memory by.")
    parser.add_argument("--hooks", type=int, default=0, help="CDS Hooks calls, and no others.")
    parser.add_argument("--database", default="")
    parser.add_argument("--challenger", type=Path, help="A policy that answers silently.")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        models = Path("out/service-model")
        model = args.model or (clinic_model(models) if args.hooks else demo_model(models))
        run = Path(scratch) / "run"
        service = describe_service(run, model, args.workers, args.database, args.challenger)
        if args.hooks:
            rows = _measure_hooks(service, model, args.hooks)
        else:
            rows = measure(service, model, args.calls, args.long_calls)
        with existing_store(service.folder / "service", args.database) as store:
            check = store.read_now(verify_audit, store.key)
            shadows = store.read_now(count_shadows)
    answered = sum(_answered(row) for row in rows)
    if args.challenger:
        print(f"answers of the challenger: {shadows}")
    print(f"audit log: {check.rows} rows for {answered} answers and what went before")
    if check.problem or check.rows < answered:
        raise SystemExit(f"the audit log does not hold: {check.problem or 'rows are missing'}")
    if args.json:
        meta = {"model": str(model), "workers": args.workers, "challenger": shadows}
        meta |= machine()
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"meta": meta, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
