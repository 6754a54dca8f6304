"""The images of an events folder: small arrays in `images/*.npz`, each named by its content."""

import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from posology.errors import RecordError
from posology.records.io.checksums import read_checksums, verify_files

IMAGES = "images"
PREFIX = "image "
"""Begins the text of an event that has an image; the array's name follows."""
_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every member of an archive, so that the same images give the same bytes."""

Store = Callable[[np.ndarray], str]
"""Keeps an array and returns the text that an event refers to it by."""


@contextmanager
def image_writer(path: Path) -> Generator[Store]:
    """A store that writes to a new npz file, one array at a time; equal arrays are kept once."""
    known: set[str] = set()
    with zipfile.ZipFile(path, "w") as archive:

        def keep(array: np.ndarray) -> str:
            digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
            name = digest.hexdigest()[:32]
            if name not in known:
                known.add(name)
                member = zipfile.ZipInfo(f"{name}.npy", _DATE)
                with archive.open(member, "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
            return PREFIX + name

        yield keep


def place_images(
    folder: Path, new_folder: Path, staged: Iterable[Path], sums: Mapping[str, str]
) -> dict[str, str]:
    """Put the folder's images and the staged ones into a new folder.

    Returns the checksums of those that were linked, by their name in the folder.
    """
    earlier = sorted((folder / IMAGES).glob("*.npz"))
    new = [path for path in staged if _names(path)]
    if earlier or new:
        (new_folder / IMAGES).mkdir()
    for path in earlier:
        target = new_folder / IMAGES / path.name
        try:
            os.link(path, target)
        except OSError:  # another file system, or one without links
            shutil.copy2(path, target)
    for path in new:
        with path.open("rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        shutil.move(path, new_folder / IMAGES / f"{name}.npz")
    names = (f"{IMAGES}/{path.name}" for path in earlier)
    return {name: sums[name] for name in names if name in sums}


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def read_images(folder: Path, references: Iterable[str]) -> Iterator[np.ndarray]:
    """The arrays that the texts of events refer to, in order: frame, row, column, from 0 to 1.

    RecordError if the folder has no such image, or if a byte of the images changed.
    """
    paths = sorted((folder / IMAGES).glob("*.npz"))
    sums = read_checksums(folder, "posology ingest")
    verify_files(folder, [f"{IMAGES}/{p.name}" for p in paths], sums, "posology ingest")
    with ExitStack() as stack:  # an archive with many members takes long to open
        place: dict[str, zipfile.ZipFile] = {}
        for path in paths:
            archive = stack.enter_context(zipfile.ZipFile(path))
            place |= dict.fromkeys(archive.namelist(), archive)
        for reference in references:
            name = reference.removeprefix(PREFIX)
            if f"{name}.npy" not in place:
                raise RecordError(f"{folder}: has no image {name}; ingest its source again")
            with place[f"{name}.npy"].open(f"{name}.npy") as file:
                yield np.lib.format.read_array(file, allow_pickle=False)
