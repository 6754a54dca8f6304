"""Trials of what a service reads: signed models, and the store with its audit log."""

import shutil
from pathlib import Path

from benchmarks.fuzz import mutations
from benchmarks.fuzz.process import posology
from benchmarks.fuzz.trials import Outcome, Trial, judge

ROWS = 200
"""Rows of the audit log."""


def sign_commands(folder: Path) -> list[list]:
    """The commands that sign a copy of the model."""
    key, patient = folder / "signer", folder / "patient.json"
    signs = ["serve", "sign", folder / "signed", "--key", folder / "signer.key"]
    return [["serve", "make-keys", "--out", key], [*signs, "--patient", patient]]


def write_store(folder: Path) -> None:
    """A service's folder: its key, and a store with an audit log."""
    from posology.service.keys import KEY, derive_key, read_or_make_key
    from posology.service.store import AuditEvent, append_event, open_store

    folder.mkdir()
    key = derive_key(read_or_make_key(folder / KEY), "audit")
    store = open_store(f"sqlite:///{folder / 'store.sqlite'}", key)
    for number in range(ROWS):
        store.write_now(append_event, key, AuditEvent("answer", "ehr", subject=f"{number:040}"))
    store.close()


def flip_signed(trial: Trial) -> Outcome:
    """A flipped bit in a signed model, or in its signature."""
    intact = trial.is_intact
    copy = trial.folder / "signed"
    shutil.copytree(trial.base / "signed", copy)
    if not intact:
        path = trial.chosen.choice(sorted(p for p in copy.iterdir() if p.is_file()))
        path.write_bytes(mutations.flip(path.read_bytes(), trial.chosen))
        if path.name == "signature.json" and _same_signature(path, trial.base / "signed"):
            return Outcome(False, True)
    key = trial.base / "signer.pub"
    ended = posology(folder=trial.folder, job=lambda: verify_signed(copy, key))
    if not intact and ended.code == 0:
        return Outcome(False, True, "accepted_corruption", path.name)
    return judge(ended, intact)


def _same_signature(changed: Path, base: Path) -> bool:
    """Whether the change is one of white space, which signs the same."""
    import json

    try:
        return json.loads(changed.read_bytes()) == json.loads((base / changed.name).read_bytes())
    except ValueError:
        return False


def verify_signed(model: Path, key: Path) -> None:
    """ArtifactError if the model is not as the key signed it."""
    from posology import artifact
    from posology.service.models.signing import verify

    verify(model, (key,))
    artifact.load(model)


def flip_store(trial: Trial) -> Outcome:
    """A flipped bit in the store: the audit log is as it was, or the command says that it is not.

    A bit in a free part of a page changes no row.
    """
    intact = trial.is_intact
    copy = trial.folder / "store"
    shutil.copytree(trial.base / "store", copy)
    path = copy / "store.sqlite"
    if not intact:
        path.write_bytes(mutations.flip(path.read_bytes(), trial.chosen))
    ended = posology("serve", "audit", "verify", "--folder", copy, folder=trial.folder)
    said = (trial.folder / "stdout.txt").read_text("utf-8", "replace")
    if ended.code == 0 and f"Rows: {ROWS:,}, unchanged" not in said:
        return Outcome(intact, True, "accepted_corruption", said[:200])
    return judge(ended, intact)


KINDS = {"signed_bytes": flip_signed, "store_bytes": flip_store}
