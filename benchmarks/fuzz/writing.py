"""Trials of every command that writes: read-only folders, full disks, and kills at any moment.

A result that was there before stays as it was until the new one is complete.
"""

import ctypes
import json
import random
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.fuzz import world
from benchmarks.fuzz.process import posology
from benchmarks.fuzz.trials import Outcome, Trial, judge, limit_files

BEFORE = '{"before": true}'
"""What stands in each file before the command runs."""
_CAPABILITIES = 0x20080522
"""linux/capability.h: version 3 of the interface."""

Writer = Callable[[Path, Path, Path], list]
"""The words of a command, from the base, a folder with inputs, and the folder to write to."""


def _ingest(_base: Path, inputs: Path, out: Path) -> list:
    (inputs / "labs.csv").write_bytes(world.to_csv(world.labs()))
    (inputs / "labs.toml").write_text(world.MAPPING)
    return ["ingest", "--table", inputs / "labs.toml", "--out", out / "d", "--json", out / "a.json"]


def _simulate(_base: Path, _inputs: Path, out: Path) -> list:
    return ["simulate", "clinic", "--patients", "20", "--out", out / "d", "--json", out / "a.json"]


FOLDERS: dict[str, Writer] = {
    "ingest": _ingest,
    "simulate": _simulate,
    "cohort": lambda b, _i, o: ["cohort", "iwpc", b / "events", "--out", o / "d"],
    "fit": lambda b, _i, o: [
        *("fit", b / "cohort", "--method", "logistic", "--out", o / "d", "--json", o / "a.json")
    ],
}
"""Commands that make a folder, `d`."""
FILES: dict[str, Writer] = {
    "template": lambda b, _i, o: ["template", b / "model", "--out", o / "a.json"],
    "recommend": lambda b, _i, o: [
        *("recommend", b / "model", "--patient", b / "patient.json"),
        *("--json", o / "a.json", "--html", o / "a.html"),
    ],
    "facts": lambda b, _i, o: [
        *("facts", b / "model", "--json", o / "a.json", "--xml", o / "a.xml")
    ],
}
"""Commands that write files."""
WRITERS = {**FOLDERS, **FILES}


def read_only(trial: Trial) -> Outcome:
    """A folder in which nothing may be written: one paragraph, before anything is computed."""
    name, words, out = _command(trial, WRITERS)
    out.chmod(0o555)
    try:
        ended = posology(*words, folder=trial.folder, before=_drop_capabilities)
        if ended.code == 0:
            return Outcome(False, True, "accepted_corruption", f"{name} wrote in a read-only place")
        left = sorted(path.name for path in out.iterdir())
        if left:
            return Outcome(False, False, "lost", f"{name} left {left}")
        return judge(ended, False)
    finally:
        out.chmod(0o755)


def full_disk_for_files(trial: Trial) -> Outcome:
    """Files that may not grow: what was there before stays, and no part of the new one is left."""
    name, words, out = _command(trial, FILES)
    for path in _files_of(words, out):
        path.write_text(BEFORE)
    most = trial.chosen.choice([200, 1_000, 3_000, 10_000, 1_000_000, 2 << 20])
    ended = posology(*words, folder=trial.folder, before=lambda: limit_files(most))
    return judge(ended, False, "") if (lost := _halves(out)) == "" else _lost(name, lost)


def kill_writer(trial: Trial) -> Outcome:
    """Killed at any moment, each file is as before or complete; the next run ends well."""
    name, words, out = _command(trial, WRITERS)
    for path in _files_of(words, out):
        path.write_text(BEFORE)
    posology(*words, folder=trial.folder, kill_after=trial.chosen.uniform(0.0, 2.5))
    if lost := _halves(out):
        return _lost(name, lost)
    if (out / "d").exists() and name != "ingest":
        return Outcome(True, True)
    ended = posology(*words, folder=trial.folder)
    left = sorted(p.name for p in out.iterdir() if p.name.endswith(".draft"))
    return judge(ended, True, _halves(out) or (f"{left} is left" if left else ""))


def _command(trial: Trial, writers: dict[str, Writer]) -> tuple[str, list, Path]:
    name = random.Random(trial.chosen.random()).choice(sorted(writers))
    inputs, out = trial.folder / "in", trial.folder / "results"
    inputs.mkdir()
    out.mkdir()
    return name, writers[name](trial.base, inputs, out), out


def _files_of(words: list, out: Path) -> list[Path]:
    return [w for w in words if isinstance(w, Path) and w.parent == out and w.suffix]


def _halves(out: Path) -> str:
    """The files that are neither as before nor complete; empty if none is."""
    for path in sorted(p for p in out.iterdir() if p.is_file() and not p.name.startswith(".")):
        text = path.read_text("utf-8", "replace")
        if text == BEFORE:
            continue
        try:
            if path.suffix == ".json":
                json.loads(text)
            elif path.suffix == ".xml":
                ElementTree.fromstring(text)
            elif not text.rstrip().endswith("</html>"):
                return f"{path.name} is half a page"
        except (ValueError, ElementTree.ParseError) as error:
            return f"{path.name} is half a file: {error}"
    return ""


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
