"""The kinds of source that `posology ingest` reads.

To add one, write a module with a function `make_sources(inputs)` that returns a list of `Source`,
and add a line here. The command line and docs/records.md list what this table has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from posology.errors import RecordError

if TYPE_CHECKING:
    from posology.records.pipeline.staging import Source


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source."""

    name: str
    """As the command line names it: `--name`."""
    module: str
    """Module of `posology.records.sources` that reads it, imported when it is used."""
    help: str
    """What to give, in one line."""


SOURCE_KINDS = (
    SourceKind("meds", "meds_folder", "A MEDS folder or Parquet file of events."),
    SourceKind("omop", "omop.reader", "An OMOP CDM: folder, zip, or postgresql:// URL."),
    SourceKind(
        "table", "tables.reader", "A mapping file (TOML) of CSV, Parquet or database tables."
    ),
    SourceKind("fhir", "fhir.reader", "FHIR R4: NDJSON or Bundles, files or folders."),
    SourceKind("vcf", "genomics.reader", "VCF files, plain or gzipped; tables of diplotypes."),
    SourceKind(
        "questionnaire",
        "questionnaires",
        "A settings file (TOML), then tables of forms; or FHIR forms alone.",
    ),
    SourceKind(
        "wearable", "wearables", "A mapping file (TOML) of wearables, then their recordings."
    ),
    SourceKind(
        "dicom",
        "imaging.reader",
        "A settings file (TOML) for pixels; DICOM; embeddings as npz or Parquet.",
    ),
    SourceKind(
        "environment", "exposures", "A mapping file (TOML) of exposures, then residence tables."
    ),
)
"""In the order in which they are read."""


def make_sources(kind: str, inputs: Sequence[str | Path]) -> "list[Source]":
    """The sources of this kind; `inputs` are the files, folders or URLs that the user named."""
    for known in SOURCE_KINDS:
        if known.name == kind:
            module = import_module(f"posology.records.sources.{known.module}")
            return module.make_sources(inputs)
    names = ", ".join(known.name for known in SOURCE_KINDS)
    raise RecordError(f"{kind!r} is not a kind of source; known are {names}")
