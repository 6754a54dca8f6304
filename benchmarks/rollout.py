"""A real service under load: swaps, rollbacks, the kill switch, limits, and a graceful end.

python -m benchmarks.rollout --json out/rollout.json

The model is signed and its golden patients are answered before the service is ready. Eight clients
ask without a pause; whoever gets no answer at all is a lost request.
"""

import argparse
import asyncio
import json
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, func, select

from benchmarks.serving import Service, connect, describe_service, machine, started
from posology import artifact
from posology.service.demo.model import demo_model
from posology.service.models.golden import GOLDEN, made_up_patients, make_golden
from posology.service.models.signing import make_keys, sign
from posology.service.store import verify_audit
from posology.service.store.existing import existing_store
from posology.service.store.tables import ANSWERS

_PATH = "/recommendations"
_CLIENTS = 8
_WAITING, _SECONDS, _BODY = 40, 8.0, 1 << 20
"""Limits of this service: smaller than the usual ones, so that they are reached soon."""
_ANSWERED = 201
Json = dict[str, Any]


@dataclass(slots=True)
class Load:
    """What eight clients got."""

    statuses: Counter[int] = field(default_factory=Counter)
    digests: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    """Requests on an open connection without a reply."""
    is_over: bool = False


async def _ask(service: Service, load: Load) -> None:
    body = (service.folder / "question.json").read_bytes()
    while not load.is_over:
        try:
            client = await connect(service)
        except OSError:
            return  # the service takes no connection any more: nothing was sent
        try:
            while client.is_open and not load.is_over:
                status, reply = await client.post(_PATH, service.token(_PATH), body)
                load.statuses[status] += 1
                if status == _ANSWERED:
                    load.digests[json.loads(reply)["digest"]] += 1
        except OSError:
            load.lost += 1
        finally:
            client.writer.close()


def signed_versions(model: Path, place: Path) -> tuple[Path, list[str]]:
    """The public key, and the digests of two signed versions of the model in a folder."""
    loaded = artifact.load(model)
    shutil.copytree(model, place / "models" / "first")
    study = replace(loaded.study, title=f"{loaded.study.title} (second version)")
    artifact.save(loaded.policy, study, loaded.evidence, place / "models" / "second")
    private, public = make_keys(place / "hospital")
    digests = []
    for name in ("first", "second"):
        folder = place / "models" / name
        one = artifact.load(folder)
        (folder / GOLDEN).write_bytes(make_golden(one, []))
        sign(folder, private)
        digests.append(one.digest)
    return public, digests


def configure(place: Path, public: Path, first: str) -> Service:
    """The settings: signed models only, small limits, and the clients are administrators."""
    service = describe_service(place / "run", place / "models", 2)
    text = service.settings.read_text().replace(
        "allow_unsigned = true", f'trusted_keys = ["{public}"]'
    )
    folder = f'folder = "{(place / "models").absolute()}"'
    text = text.replace(folder, f'{folder}\nversion = "{first}"')
    text += 'roles = ["clinician", "administrator"]\n\n[limits]\n'
    text += f"waiting = {_WAITING}\nseconds = {_SECONDS}\nbody = {_BODY}\n"
    service.settings.write_text(text)
    form = made_up_patients(artifact.load(place / "models" / "first"))[2]
    question = {"form": {"facts": form["facts"]}, "reasons": False}
    (service.folder / "question.json").write_text(json.dumps(question))
    return service


def _post(service: Service, path: str, body: Json | None = None, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {service.token(path)}"} | more.pop("headers", {})
    sent = more if more else {"json": body or {}}
    return httpx.post(f"{service.url}{path}", headers=headers, timeout=30, **sent)


async def swap_under_load(service: Service, digests: list[str], times: int) -> Json:
    """Swaps and rollbacks in turn while clients ask."""
    load, changes = Load(), Counter[int]()
    clients = [asyncio.create_task(_ask(service, load)) for _ in range(_CLIENTS)]
    for _ in range(times):
        for path, sent in (("swap", {"digest": digests[1]}), ("rollback", {})):
            reply = await asyncio.to_thread(_post, service, f"/models/warfarin/{path}", sent)
            changes[reply.status_code] += 1
            await asyncio.sleep(0.2)
    load.is_over = True
    await asyncio.gather(*clients)
    is_right = set(load.statuses) == {_ANSWERED} and set(load.digests) == set(digests)
    is_right = is_right and not load.lost and set(changes) == {200}
    found = {"changes": dict(changes), "statuses": dict(load.statuses), "lost": load.lost}
    return {"what": "swap and rollback", "is_right": is_right, **found}


async def stop_under_load(service: Service) -> Json:
    """The kill switch: once its call is answered, no answer comes until it is released."""
    load, reason = Load(), {"reason": "a wrong dose was seen"}
    clients = [asyncio.create_task(_ask(service, load)) for _ in range(_CLIENTS)]
    await asyncio.sleep(0.5)
    stopped = await asyncio.to_thread(_post, service, "/models/warfarin/stop", reason)
    before = load.statuses[_ANSWERED]
    await asyncio.sleep(3)  # the service looks at its store every two seconds
    after = load.statuses[_ANSWERED]
    question = json.loads((service.folder / "question.json").read_bytes())
    one = await asyncio.to_thread(_post, service, _PATH, question)
    resumed = await asyncio.to_thread(_post, service, "/models/warfarin/resume", reason)
    await asyncio.sleep(0.5)
    load.is_over = True
    await asyncio.gather(*clients)
    late = after - before
    is_right = (stopped.status_code, one.status_code, resumed.status_code) == (200, 503, 200)
    is_right = is_right and one.headers.get("retry-after") == "60"
    # replies that were on their way when the call of the switch was answered: one a client
    is_right = is_right and late <= _CLIENTS and load.statuses[_ANSWERED] > after
    found = {"statuses": dict(load.statuses), "lost": load.lost, "on_their_way": late}
    return {"what": "stop and resume", "is_right": is_right and not load.lost, **found}


def try_limits(service: Service) -> list[Json]:
    """Bodies that are too large, too deep, no JSON, or do not arrive."""
    kind = {"Content-Type": "application/json"}
    bodies = {
        "too large": (b'"' + b"x" * _BODY + b'"', 413),
        "too deep": (b"[" * 100 + b"]" * 100, 413),
        "far too deep": (b"[" * 100_000, 400),
        "no JSON": (b'{"form": NaN}', 400),
    }
    rows = []
    for name, (body, wanted) in bodies.items():
        for path in (_PATH, "/cds-services/warfarin", "/outcomes"):
            reply = _post(service, path, content=body, headers=kind)
            is_fhir = path.startswith("/cds-services")
            is_right = reply.status_code == wanted
            is_right = is_right and ("OperationOutcome" in reply.text) == is_fhir
            rows.append(
                {"what": f"{name}, {path}", "is_right": is_right, "status": reply.status_code}
            )
    return [*rows, _trickle(service)]


def _trickle(service: Service) -> Json:
    """A body that stops half-way is refused after the limit of time."""
    head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {service.token(_PATH)}\r\nContent-Length: 100\r\n\r\n{{"
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", service.port), 30) as connection:
        connection.sendall(head.encode())
        status = int(connection.recv(12)[9:12])
    seconds = time.perf_counter() - began
    is_right = status == 408 and seconds < _SECONDS + 2
    return {"what": "a body that stops", "is_right": is_right, "status": status, "s": seconds}


async def burst(service: Service, calls: int) -> Json:
    """More questions at once than may wait: the others get 429 or 503, with Retry-After."""
    question = json.loads((service.folder / "question.json").read_bytes())
    tokens = [service.token(_PATH) for _ in range(calls)]
    limits = httpx.Limits(max_connections=calls)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        replies = await asyncio.gather(
            *(
                client.post(
                    f"{service.url}{_PATH}",
                    json=question,
                    headers={"Authorization": f"Bearer {token}"},
                )
                for token in tokens
            )
        )
    statuses = Counter(reply.status_code for reply in replies)
    busy = [reply for reply in replies if reply.status_code in (429, 503)]
    is_right = set(statuses) <= {_ANSWERED, 429, 503} and statuses[429] > 0
    is_right = is_right and all(reply.headers.get("retry-after") for reply in busy)
    return {"what": f"{calls} at once", "is_right": is_right, "statuses": dict(statuses)}


async def end_under_load(service: Service, process: subprocess.Popen[bytes]) -> Json:
    """SIGTERM: what was asked is answered, and what was answered is stored."""
    load = Load()
    before = _stored(service)
    clients = [asyncio.create_task(_ask(service, load)) for _ in range(_CLIENTS)]
    await asyncio.sleep(1)
    began = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    code = await asyncio.to_thread(process.wait, 60)
    seconds = time.perf_counter() - began
    await asyncio.gather(*clients)
    kept = _stored(service) - before
    answered = load.statuses[_ANSWERED]
    is_right = code in (0, -signal.SIGTERM) and seconds < 30 and kept == answered > 0
    is_right = is_right and load.lost == 0
    found = {"statuses": dict(load.statuses), "stored": kept, "exit_code": code, "s": seconds}
    return {"what": "SIGTERM", "is_right": is_right, "lost": load.lost, **found}


def _stored(service: Service) -> int:
    def count(connection: Connection) -> int:
        return connection.scalar(select(func.count()).select_from(ANSWERS)) or 0

    with existing_store(service.folder / "service") as store:
        assert not store.read_now(verify_audit, store.key).problem
        return store.read_now(count)


def try_starts(service: Service, folder: Path, private: Path) -> list[Json]:
    """A changed file and another golden answer keep the service from starting."""
    golden = folder / GOLDEN
    intact, body = golden.read_bytes(), json.loads(golden.read_bytes())
    rows = []
    body["patients"][0]["answer"]["headline"] = "Another answer."
    golden.write_bytes(json.dumps(body).encode())
    rows.append(_refused_start(service, "golden.json changed after it was signed", "was changed"))
    sign(folder, private)
    rows.append(_refused_start(service, "another golden answer", "gets another answer"))
    golden.write_bytes(intact)
    sign(folder, private)
    return rows


def _refused_start(service: Service, what: str, wanted: str) -> Json:
    log = service.folder / "log.jsonl"
    try:
        with started(service):
            return {"what": what, "is_right": False, "started": True}
    except RuntimeError:
        said = log.read_text().replace("\n", " ")
    return {"what": what, "is_right": wanted in " ".join(said.split()), "started": False}


def run(place: Path, model: Path, times: int) -> list[Json]:
    """All rows."""
    public, digests = signed_versions(model, place)
    service = configure(place, public, digests[0])
    rows: list[Json] = []

    def note(*found: Json) -> None:
        for row in found:
            rows.append(row)
            print("right" if row["is_right"] else "WRONG", row, flush=True)

    with started(service) as process:
        note(asyncio.run(swap_under_load(service, digests, times)))
        note(asyncio.run(stop_under_load(service)))
        note(*try_limits(service))
        note(asyncio.run(burst(service, 100)))
        note(asyncio.run(end_under_load(service, process)))
    note(*try_starts(service, place / "models" / "first", place / "hospital.key"))
    return rows


def main() -> None:
    """Run, print and write; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--swaps", type=int, default=10, help="Swaps, each with its rollback.")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    model = args.model or demo_model(Path("out/service-model"))
    with tempfile.TemporaryDirectory() as scratch:
        rows = run(Path(scratch), model, args.swaps)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"meta": machine(), "rows": rows}, indent=1) + "\n")
    if not all(row["is_right"] for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
