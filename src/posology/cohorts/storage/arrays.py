"""A cohort on disk: memory-mapped flat arrays, and a JSON manifest."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from posology.domain.cohort import DECISION_COLUMNS, Cohort
from posology.domain.history import HISTORY_ARRAYS, History
from posology.domain.images import Images
from posology.domain.profile import Profile
from posology.domain.serialization import deserialize, serialize
from posology.domain.study import Study
from posology.errors import UserError
from posology.records.io.checksums import read_checksums, verify_files, write_checksums

FORMAT = 4
MANIFEST = "cohort.json"


class CohortWriter:
    """Write the arrays of a cohort folder piece by piece, without holding them in memory."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, mode=0o700)
        self.folder = folder
        self.arrays: dict[str, tuple[str, list[int]]] = {}

    def append(self, name: str, array: np.ndarray) -> None:
        """Append rows to an array."""
        kind, shape = self.arrays.get(name, (array.dtype.str, [0, *array.shape[1:]]))
        with (self.folder / f"{name}.bin").open("ab") as file:
            np.ascontiguousarray(array.astype(kind)).tofile(file)
        self.arrays[name] = (kind, [shape[0] + len(array), *shape[1:]])

    def append_images(self, images: Images | None) -> None:
        """Append what the events of the history show, if the study reads images."""
        for f in () if images is None else fields(Images):
            self.append(f"images.{f.name}", getattr(images, f.name))

    def mapped(self) -> dict[str, np.ndarray]:
        """The arrays written so far, memory-mapped."""
        return {
            name: _mapped(self.folder, name, kind, tuple(shape))
            for name, (kind, shape) in self.arrays.items()
        }

    def close(
        self, study: Study, profile: Profile, flow: dict, warnings: tuple[str, ...] = ()
    ) -> None:
        """Write the manifest; without it the folder is not a cohort."""
        small: dict[str, np.ndarray] = {}
        body = {
            "format": FORMAT,
            "study": serialize(study, {}),
            "profile": serialize(profile, small, "profile"),
            "arrays": {name: {"dtype": k, "shape": s} for name, (k, s) in self.arrays.items()},
            "flow": flow,
            "warnings": list(warnings),
        }
        np.savez(self.folder / "profile.npz", allow_pickle=False, **small)
        (self.folder / MANIFEST).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        write_checksums(self.folder)


def save_cohort(cohort: Cohort, folder: Path, flow: dict | None = None) -> None:
    """Write a cohort to a new folder; UserError if the folder exists."""
    if folder.exists():
        raise UserError(f"{folder}: exists already; name a new folder.")
    writer = CohortWriter(folder)
    for name in HISTORY_ARRAYS:
        writer.append(f"history.{name}", getattr(cohort.history, name))
    writer.append_images(cohort.history.images)
    for name in ("subject", "last_step", *DECISION_COLUMNS):
        column = getattr(cohort, name)
        if column is not None:
            writer.append(name, column)
    writer.close(cohort.study, cohort.profile, flow or {}, cohort.warnings)


def history_of(arrays: Mapping[str, np.ndarray]) -> History:
    """The history of arrays by name, with its images if there are any."""
    own: dict[str, Any] = {name: arrays[f"history.{name}"] for name in HISTORY_ARRAYS}
    if "images.row" in arrays:
        own["images"] = Images(**{f.name: arrays[f"images.{f.name}"] for f in fields(Images)})
    return History(**own)


def is_cohort(folder: Path) -> bool:
    """Whether the folder was written by `posology cohort`."""
    return (folder / MANIFEST).is_file()


def load_cohort(folder: Path) -> Cohort:
    """The cohort of a folder, with memory-mapped arrays; RecordError if a file has changed."""
    body = _about(folder)
    _verify(folder)
    with np.load(folder / "profile.npz", allow_pickle=False) as small:
        profile = deserialize(Profile, body["profile"], dict(small))
    arrays = {
        name: _mapped(folder, name, spec["dtype"], tuple(spec["shape"]))
        for name, spec in body["arrays"].items()
    }
    history = history_of(arrays)
    names = ("subject", "last_step", *DECISION_COLUMNS)
    columns = {name: arrays[name] for name in names if name in arrays}
    return Cohort(
        study=deserialize(Study, body["study"], {}),
        profile=profile,
        history=history,
        warnings=tuple(body["warnings"]),
        **columns,
    )


def load_flow(folder: Path) -> dict:
    """The flow diagram of a cohort folder, as in `posology cohort --json`."""
    body = _about(folder)
    _verify(folder, [MANIFEST])
    return body["flow"]


def _verify(folder: Path, names: list[str] | None = None) -> None:
    sums = read_checksums(folder, "posology cohort")
    verify_files(folder, sums if names is None else names, sums, "posology cohort")


def _about(folder: Path) -> dict:
    try:
        body = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder}: is not a complete cohort; build it with `posology cohort`."
        ) from error
    number = body.get("format") if isinstance(body, dict) else None
    if number != FORMAT:
        raise UserError(
            f"{folder}: has format {number}, but this version reads format {FORMAT}; "
            "build the cohort again."
        )
    return body


def _mapped(folder: Path, name: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    kind = np.dtype(dtype)
    if 0 in shape:
        return np.empty(shape, kind)
    path = folder / f"{name}.bin"
    if not path.is_file() or path.stat().st_size != kind.itemsize * int(np.prod(shape)):
        raise UserError(f"{path}: is missing or truncated; build the cohort again.")
    return np.memmap(path, kind, mode="r", shape=shape)
