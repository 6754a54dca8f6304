"""What benchmarks of the service share: the server's process, signed tokens, a small client."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

T = TypeVar("T")
ISSUER = "https://ehr.example"
NO_SERVER = "http://127.0.0.1:9/fhir"
"""Port 9 (discard) of this machine, where nobody listens: the service may fetch from there."""
_SERVE = "from posology.cli import main; main()"
_START_SECONDS = 120
_LIFE = 3000
"""Seconds that a token lives."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service on this machine: how to start it, and who may call."""

    folder: Path
    settings: Path
    port: int
    key: ec.EllipticCurvePrivateKey

    @property
    def url(self) -> str:
        """Address without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    def token(self, path: str) -> str:
        """A new token for this path, ES384, as the CDS Hooks sandbox signs it."""
        now = int(time.time())
        body = {"iss": ISSUER, "aud": f"{self.url}{path}", "iat": now, "exp": now + _LIFE}
        headers = {"kid": "bench", "typ": "JWT"}
        return jwt.encode(body | {"jti": str(uuid.uuid4())}, self.key, "ES384", headers)


def describe_service(
    folder: Path, model: Path, workers: int, database: str = "", challenger: Path | None = None
) -> Service:
    """Write the settings of a service of this model into a folder; its store may exist already."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP384R1())
    public = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    public |= {"kid": "bench", "alg": "ES384", "use": "sig"}
    (folder / "keys.json").write_text(json.dumps({"keys": [public]}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    beside = f'challenger = "{challenger.absolute()}"\n' if challenger else ""
    settings = folder / "settings.toml"
    settings.write_text(
        f'folder = "{folder / "service"}"\ndatabase = "{database}"\nport = {port}\n'
        f"workers = {workers}\nallow_unsigned = true\n\n"
        f'[[models]]\nname = "warfarin"\nfolder = "{model.absolute()}"\n'
        f"{beside}\n"
        f'[cds_hooks]\nfhir_servers = ["{NO_SERVER}"]\n\n'
        f'[[cds_hooks.issuers]]\nissuer = "{ISSUER}"\nkeys = "{folder / "keys.json"}"\n'
    )
    return Service(folder, settings, port, key)


@contextmanager
def started(service: Service) -> Generator[subprocess.Popen[bytes]]:
    """The running service, ready to answer; killed with its workers at the end."""
    with (service.folder / "log.jsonl").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, "serve", "run", "--settings", str(service.settings)],
            stdout=subprocess.DEVNULL,
            stderr=log,
            process_group=0,  # its own group, to be killed as one; of the priority of this session
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    try:
        _wait_until_ready(service, process)
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the service and its workers at once."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait_until_ready(service: Service, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the service ended: {(service.folder / 'log.jsonl').read_text()}")
        try:
            with socket.create_connection(("127.0.0.1", service.port), 1) as connection:
                connection.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                if b" 200 " in connection.recv(64):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"not ready after {_START_SECONDS} seconds")


@dataclass(slots=True)
class Client:
    """One connection that is kept open: HTTP/1.1, JSON, as little work as possible."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    is_open: bool = True
    """Whether the service takes another request here: it has not said that it closes."""

    async def post(self, path: str, token: str, body: bytes) -> tuple[int, bytes]:
        """Status and body of the response; ConnectionError if the service is gone."""
        return await self.send("POST", path, token, body)

    async def send(
        self, method: str, path: str, token: str, body: bytes = b""
    ) -> tuple[int, bytes]:
        """The same with another method."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)
        await self.writer.drain()
        try:
            answer = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the service is gone") from error
        self.is_open = b"\r\nconnection: close" not in answer.lower()
        length = next(
            int(line.split(b":")[1])
            for line in answer.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        )
        try:
            return int(answer[9:12]), await self.reader.readexactly(length)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("the service is gone") from error


async def connect(service: Service) -> Client:
    """A new connection."""
    return Client(*await asyncio.open_connection("127.0.0.1", service.port, limit=1 << 22))


async def timed(reply: Awaitable[T]) -> tuple[T, float]:
    """The reply, and after how many milliseconds it came."""
    began = time.perf_counter()
    found = await reply
    return found, 1000 * (time.perf_counter() - began)


def resident_mib(process: subprocess.Popen[bytes]) -> float:
    """Memory of the service and its workers, MiB; pages that they share count once each."""
    pages = sum(int((p / "statm").read_text().split()[1]) for p in _group(process))
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


def processor_seconds(process: subprocess.Popen[bytes]) -> float:
    """Processor time that the service and its workers have used: the same on a busy machine."""
    ticks = 0
    for place in _group(process):
        fields = (place / "stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _group(process: subprocess.Popen[bytes]) -> list[Path]:
    """Folders in /proc of the service and its workers."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(ProcessLookupError):
            if os.getpgid(int(place.name)) == process.pid:
                found.append(place)
    return found


def percentile(values: list[float], share: float) -> float:
    """The value below which this share lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def machine() -> dict[str, Any]:
    """Where it was measured, and how busy that was."""
    return {"cores": os.cpu_count(), "load": os.getloadavg()[0]}
