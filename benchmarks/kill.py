"""SIGKILL under load: nothing acknowledged is lost or doubled, and the audit chain verifies.

python -m benchmarks.kill --kills 100 --folder out/kill --json out/kill.json

Clients send outcomes and feedback; after a kill they send what was not acknowledged again, as a
record system would. On SQLite, and on PostgreSQL where this machine has its server. With
`--folder`, the stores and what the clients know are kept after each kill: a run that ended early
continues there.
"""

import argparse
import asyncio
import hashlib
import json
import os
import random
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from benchmarks.serving import Service, connect, describe_service, kill, machine, started
from posology.service.demo.model import demo_model
from posology.service.store import verify_audit
from posology.service.store.existing import existing_store
from posology.service.store.tables import AUDIT, FEEDBACK, OUTCOMES

_CODE = "MEDS_DEATH"  # every study has it
_OUTCOMES, _FEEDBACK = "/outcomes", "/cds-services/warfarin/feedback"
_CLIENTS = 4
_WHEN = "2026-05-01T08:00:00Z"


@dataclass(slots=True)
class Sent:
    """What clients know: keys that were acknowledged, and bodies that were not."""

    acknowledged: dict[str, set[str]] = field(
        default_factory=lambda: {_OUTCOMES: set(), _FEEDBACK: set()}
    )
    pending: list[tuple[str, str]] = field(default_factory=list)
    """Paths and keys to send again."""
    sent_again: int = 0
    refused: int = 0
    kills: int = 0


def _read_sent(file: Path) -> Sent:
    """What clients knew after the last kill of an earlier run."""
    if not file.exists():
        return Sent()
    body = json.loads(file.read_text())
    keys = {path: set(known) for path, known in body.pop("acknowledged").items()}
    pending = [(path, key) for path, key in body.pop("pending")]
    return Sent(keys, pending, **body)


def _write_sent(sent: Sent, file: Path) -> None:
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(sent), default=sorted))
    draft.replace(file)


def _body(path: str, key: str) -> bytes:
    if path == _OUTCOMES:
        outcome = {"key": key, "code": _CODE, "value": 1.0, "observed_at": _WHEN}
        outcome |= {"patient_id": "kill"}
        return json.dumps({"outcomes": [outcome]}).encode()
    feedback = {"card": key, "outcome": "accepted", "outcomeTimestamp": _WHEN}
    feedback |= {"acceptedSuggestions": [{"id": str(uuid.uuid5(uuid.UUID(key), "s"))}]}
    return json.dumps({"feedback": [feedback]}).encode()


async def _load(service: Service, sent: Sent, process: Any, seconds: float) -> None:
    """Clients send until the service is killed, `seconds` from now."""

    async def work() -> None:
        with suppress(ConnectionError, OSError):
            client = await connect(service)
            while True:
                again = sent.pending.pop() if sent.pending else None
                path, key = again or (random.choice((_OUTCOMES, _FEEDBACK)), str(uuid.uuid4()))
                sent.sent_again += again is not None
                try:
                    status, _ = await client.post(path, service.token(path), _body(path, key))
                except (ConnectionError, OSError):
                    sent.pending.append((path, key))
                    raise
                if status == 200:
                    sent.acknowledged[path].add(key)
                else:
                    sent.refused += 1
                    sent.pending.append((path, key))

    async def end() -> None:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(kill, process)

    await asyncio.gather(end(), *(work() for _ in range(_CLIENTS)))


def run(service: Service, database: str, kills: int) -> dict[str, Any]:
    """Kill the service so many times under load, then compare its store with the clients."""
    known = service.folder / "sent.json"
    sent = _read_sent(known)
    while sent.kills < kills:
        with started(service) as process:
            asyncio.run(_load(service, sent, process, random.uniform(0.05, 1.5)))
        sent.kills += 1
        _write_sent(sent, known)
        if sent.kills % 10 == 0 or sent.kills == kills:
            done = sum(len(keys) for keys in sent.acknowledged.values())
            print(f"{service.folder.name}: {sent.kills} kills, {done} acknowledged", flush=True)
    with existing_store(service.folder / "service", database) as store:
        check = store.read_now(verify_audit, store.key)
        kept = store.read_now(_kept)
    lost = sum(len(sent.acknowledged[path] - set(keys)) for path, keys in kept["rows"].items())
    doubled = sum(len(keys) - len(set(keys)) for keys in kept["rows"].values())
    rows = sum(len(keys) for keys in kept["rows"].values())
    return {
        "kills": sent.kills,
        "acknowledged": sum(len(keys) for keys in sent.acknowledged.values()),
        "kept": rows,
        "sent_again": sent.sent_again,
        "refused": sent.refused,
        "lost": lost,
        "doubled": doubled,
        "without_audit_row": rows - kept["audited"],
        "audit_rows": check.rows,
        "chain": check.problem or "verifies",
    }


def _kept(connection: Connection) -> dict[str, Any]:
    outcomes = [key.rpartition("|")[2] for key in connection.scalars(select(OUTCOMES.c.key))]
    feedback = list(connection.scalars(select(FEEDBACK.c.card)))
    actions = list(connection.scalars(select(AUDIT.c.action)))
    audited = sum(action in ("outcome", "feedback") for action in actions)
    return {"rows": {_OUTCOMES: outcomes, _FEEDBACK: feedback}, "audited": audited}


@contextmanager
def postgresql(kept: Path | None) -> Generator[str]:
    """A server of our own on a socket; an empty address if this machine has none.

    Args:
        kept: the folder of a run that may continue: its database is found again, and stays.
    """
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        yield ""
        return
    name = hashlib.sha256(str(kept and kept.absolute()).encode()).hexdigest()[:8]
    # a socket's path must be short, and another user's
    place = Path(f"/tmp/pg-{name}") if kept else Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    place.mkdir(exist_ok=True)
    user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL does not run as root
        user = ["runuser", "-u", "postgres", "--"]
        shutil.chown(place, "postgres")
    data = place / "data"
    options = f"-c listen_addresses='' -k {place}"
    pg_ctl = [*user, "pg_ctl", "-D", str(data), "-o", options, "-l", str(place / "log"), "-w"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "check": True}
    if data.exists():  # a server of a run that was killed may still be there
        left_over: dict[str, Any] = quiet | {"check": False, "stderr": subprocess.DEVNULL}
        subprocess.run([*pg_ctl, "-m", "immediate", "stop"], **left_over)
    else:
        subprocess.run([*user, "initdb", "-D", str(data), "-A", "trust", "-U", "posology"], **quiet)
    subprocess.run([*pg_ctl, "start"], **quiet)
    try:
        yield f"postgresql://posology@/postgres?host={place}"
    finally:
        subprocess.run([*pg_ctl, "-m", "immediate", "stop"], **quiet)
        if kept is None:
            shutil.rmtree(place, ignore_errors=True)


def main() -> None:
    """Kill, compare, print and write; exit code 1 if anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="Keep everything here, and continue here.")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    model, rows = args.model or demo_model(Path("out/service-model")), []
    with tempfile.TemporaryDirectory() as temporary, postgresql(args.folder) as address:
        scratch = args.folder or temporary
        for name, database in (("sqlite", ""), ("postgresql", address)):
            if name == "postgresql" and not database:
                print("postgresql: no server on this machine")
                continue
            service = describe_service(Path(scratch) / name, model, 0, database)
            rows.append({"database": name, **run(service, database, args.kills)})
            print(rows[-1], flush=True)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"meta": machine(), "rows": rows}, indent=1) + "\n")
    bad = ("lost", "doubled", "without_audit_row")
    if any(row[name] for row in rows for name in bad) or any(
        r["chain"] != "verifies" for r in rows
    ):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
