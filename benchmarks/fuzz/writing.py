"""Trials of every command that writes: read-only folders, full disks, and kills at any moment.

A result that was there before stays as it was until the new one is complete.
"""

import ctypes
import json
import os
import random
import resource
import signal
import sys
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.fuzz import commands
from benchmarks.fuzz.process import posology
from benchmarks.fuzz.service import verify_signed
from benchmarks.fuzz.trials import Outcome, Trial, judge, limit_files

BEFORE = '{"before": true}'
"""What stands in each file before the command runs."""
_CAPABILITIES = 0x20080522
"""linux/capability.h: version 3 of the interface."""

WRITERS = commands.FOLDERS | commands.FILES | commands.SLOW
TEXTS = (".json", ".ndjson", ".html", ".xml")
"""Endings of results that replace what was there before."""
EVENTS = ("open", "os.rename", "os.remove", "os.mkdir", "os.link")
"""Audit events of Python at which a command is killed."""


def read_only(trial: Trial) -> Outcome:
    """A folder in which nothing may be written: one paragraph, before anything is computed."""
    name, words, out = _command(trial, WRITERS | commands.UNREACHED)
    before = sorted(path.name for path in out.iterdir())
    out.chmod(0o555)
    try:
        ended = posology(*words, folder=trial.folder, before=_drop_capabilities)
        if ended.code == 0:
            return Outcome(False, True, "accepted_corruption", f"{name} wrote in a read-only place")
        left = sorted(path.name for path in out.iterdir())
        if left != before:
            return Outcome(False, False, "lost", f"{name} left {left}")
        if "cannot be written" not in ended.error:
            return Outcome(False, False, "lost", f"{name}, before the work: {ended.error[-400:]}")
        return judge(ended, False)
    finally:
        out.chmod(0o755)


def full_disk_for_files(trial: Trial) -> Outcome:
    """Files that may not grow: what was there before stays, and no part of the new one is left."""
    name, words, out = _command(trial, commands.FILES)
    most = trial.chosen.choice([200, 1_000, 3_000, 10_000, 1_000_000, 2 << 20])
    ended = posology(*words, folder=trial.folder, before=lambda: limit_files(most))
    lost = _halves(out) or _unsigned(trial, out)
    return judge(ended, False, "") if lost == "" else _lost(name, lost)


def kill_writer(trial: Trial) -> Outcome:
    """Killed at any moment, each file is as before or complete; the next run ends well.

    At a random time, at a random one of the command's first steps in the folder, or in the midst of
    a file.
    """
    name, words, out = _command(trial, WRITERS)
    chosen, seconds, before = trial.chosen, None, None
    how = 0 if name in commands.SLOW else chosen.randrange(3)
    if how == 0:
        seconds = chosen.uniform(0.0, 2.5)
    elif how == 1:
        steps = chosen.randrange(16)
        before = lambda: _die_at_step(out, steps)  # noqa: E731
    else:
        size = int(10 ** chosen.uniform(0.0, 5.0))
        before = lambda: _die_at_size(size)  # noqa: E731
    posology(*words, folder=trial.folder, kill_after=seconds, before=before)
    if lost := _halves(out) or _unsigned(trial, out):
        return _lost(name, lost)
    if name in commands.SLOW or _is_complete(name, out):
        return Outcome(True, True)
    ended = posology(*words, folder=trial.folder)
    left = sorted(p.name for p in out.rglob("*.draft"))
    lost = _halves(out) or _unsigned(trial, out) or (f"{left} is left" if left else "")
    return judge(ended, True, lost and f"{name}: {lost}")


def _is_complete(name: str, out: Path) -> bool:
    """Whether the killed command was done, and would refuse to write over its result."""
    if name in commands.PAIRS:
        return all((out / file).exists() for file in commands.PAIRS[name])
    if name in ("ingest", "tune"):
        return False
    return (out / "d").exists() or (out / "w.safetensors").exists()


def _die_at_step(out: Path, steps: int) -> None:
    """Kill this process before it opens, moves or removes a file in the folder once more."""
    seen, place = 0, str(out)

    def watch(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event in EVENTS and any(str(each).startswith(place) for each in arguments[:2]):
            seen += 1
            if seen > steps:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def _die_at_size(size: int) -> None:
    """Let the kernel end this process where a file would grow beyond so many bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _command(trial: Trial, writers: dict[str, commands.Writer]) -> tuple[str, list, Path]:
    """A command, after something was put where it writes."""
    name = random.Random(trial.chosen.random()).choice(sorted(writers))
    inputs, out = trial.folder / "in", trial.folder / "results"
    inputs.mkdir()
    out.mkdir()
    words = writers[name](trial.base, inputs, out)
    for word in words:
        is_result = isinstance(word, Path) and word.parent == out and word.suffix in TEXTS
        if is_result and not word.exists():
            word.write_text(BEFORE)
    return name, words, out


def _halves(out: Path) -> str:
    """The files that are neither as before nor complete; empty if none is."""
    found = [p for p in out.glob("*") if p.is_file()] + list((out / "keys").glob("*"))
    for path in sorted(p for p in found if not p.name.startswith(".")):
        try:
            _read_whole(path)
        except (ValueError, ElementTree.ParseError) as error:
            return f"{path.name} is half a file: {error}"
    return ""


def _read_whole(path: Path) -> None:
    """ValueError if the file is not complete."""
    content = path.read_bytes()
    text = content.decode("utf-8", "replace")
    if path.suffix == ".json" or text == BEFORE:
        json.loads(text)
    elif path.suffix == ".ndjson":
        if not text.endswith("\n"):
            raise ValueError("no end of the last line")
        for line in text.splitlines():
            json.loads(line)
    elif path.suffix == ".xml":
        ElementTree.fromstring(text)
    elif path.suffix == ".html" and not text.rstrip().endswith("</html>"):
        raise ValueError("no end of the page")
    elif path.suffix in (".pem", ".key", ".pub") and "-----END" not in text:
        raise ValueError("no end of the key")
    elif path.suffix == ".safetensors":
        header = int.from_bytes(content[:8], "little")
        about = json.loads(content[8 : 8 + header])
        ends = [v["data_offsets"][1] for k, v in about.items() if k != "__metadata__"]
        if len(content) != 8 + header + max(ends):
            raise ValueError("the weights are cut")


def _unsigned(trial: Trial, out: Path) -> str:
    """What is wrong with the signed model in the folder; empty if nothing, or there is none."""
    if not (out / "m").exists():
        return ""
    key = trial.base / "signer.pub"
    ended = posology(folder=trial.folder, job=lambda: verify_signed(out / "m", key))
    return f"the model is not signed: {ended.error[-300:]}" if ended.code else ""


def _lost(name: str, what: str) -> Outcome:
    return Outcome(False, False, "lost", f"{name}: {what}")


def _drop_capabilities() -> None:
    """Let the modes of files bind root, too."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES, 0)
    ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)())


KINDS = {
    "read_only": read_only,
    "full_disk_files": full_disk_for_files,
    "kill_writer": kill_writer,
}
