"""Can the user's model, study and events be read?"""

from collections.abc import Callable, Iterator
from pathlib import Path

from posology.errors import PosologyError
from posology.workflows.doctor.check import GOOD, NOTE, PROBLEM, Check


def check_files(model: Path | None, study: str | None, events: Path | None) -> Iterator[Check]:
    """Read what is named, without changing it."""
    if model is not None:
        yield from _try("model", lambda: _model(model))
    if study is not None:
        yield from _try("study", lambda: _study(study))
    if events is not None:
        yield from _try("events", lambda: _events(events))


def _try(part: str, read: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from list(read())
    except (PosologyError, OSError) as error:
        yield Check(part, PROBLEM, str(error))


def _model(folder: Path) -> Iterator[Check]:
    from posology import artifact

    loaded = artifact.load(folder)
    kind, study = type(loaded.policy).__name__, loaded.study.name
    yield Check("model", GOOD, f"{folder}: every checksum holds; {kind} for the study {study}.")
    signed = (folder / "signature.json").exists()
    if not signed:
        yield Check(
            "model",
            NOTE,
            "It is not signed.",
            f"Before it serves patients: posology serve sign {folder}.",
        )


def _study(name: str) -> Iterator[Check]:
    from posology.cohorts.study.reader import read_study

    study = read_study(name)
    options = len(study.formulary.treatments)
    yield Check("study", GOOD, f"{study.name}: can be read; {options} options.")


def _events(place: Path) -> Iterator[Check]:
    from posology.records.meds_dataset import data_files, open_events

    files = [place] if place.is_file() else data_files(place)
    rows = sum(open_events(file).metadata.num_rows for file in files)
    noun = "file" if len(files) == 1 else "files"
    yield Check("events", GOOD, f"{place}: {rows:,} events in {len(files):,} {noun}.")
