"""The sources whose rows are read in Python, as sources of an ingest.

Each module is imported only when its source is asked for.
"""

from collections.abc import Iterator
from pathlib import Path

from posology.errors import RecordError
from posology.records.pipeline.ingest import Source, staged_batches
from posology.records.schema import Batch


def reader_source(kind: str, paths: list[Path]) -> Source:
    """A source of this kind: `fhir`, `vcf`, `questionnaire`, `wearable`, `dicom`, `environment`.

    A TOML file among the paths is the source's mapping or settings.
    """
    files = tuple(file for path in paths for file in _files(path))
    name = ", ".join(str(path) for path in paths)
    return Source(
        name,
        files,
        lambda _con, folder: staged_batches(_batches(kind, paths), folder),
        kind,
    )


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    if not path.exists():
        raise RecordError(f"{path}: there is no such file or folder")
    return [path]


def _batches(kind: str, paths: list[Path]) -> Iterator[Batch]:
    mappings = [path for path in paths if path.suffix == ".toml"]
    data = [path for path in paths if path.suffix != ".toml"]
    match kind:
        case "fhir":
            from posology.records.sources.fhir.reader import read_fhir

            return read_fhir(data)
        case "vcf":
            return _genomes(data, mappings)
        case "questionnaire":
            return _questionnaires(data, mappings)
        case "wearable":
            from posology.records.sources.wearables import read_wearable_settings, read_wearables

            return read_wearables(data, read_wearable_settings(_one(kind, mappings)))
        case "dicom":
            return _images(data)
        case "environment":
            from posology.records.sources.exposures import (
                read_environment,
                read_environment_settings,
            )

            return read_environment(data, read_environment_settings(_one(kind, mappings)))
    raise RecordError(f"{kind!r} is not a kind of source")


def _genomes(data: list[Path], mappings: list[Path]) -> Iterator[Batch]:
    """VCF at the panel's positions, and diplotypes where the files are tables."""
    from posology.records.io.settings import load_settings
    from posology.records.sources.genomics.diplotypes import read_diplotypes
    from posology.records.sources.genomics.genomes import VcfSettings, read_vcf

    tables = [path for path in data if path.suffix in (".csv", ".parquet", ".xlsx")]
    variants = [path for path in data if path not in tables]
    if variants:
        settings = load_settings(_one("vcf", mappings), VcfSettings) if mappings else None
        yield from read_vcf(variants, settings)
    if tables:
        yield from read_diplotypes(tables)


def _questionnaires(data: list[Path], mappings: list[Path]) -> Iterator[Batch]:
    """Forms: with a mapping, tables; without one, FHIR."""
    from posology.records.io.settings import load_settings
    from posology.records.sources.fhir.reader import read_fhir
    from posology.records.sources.questionnaires import (
        TableForm,
        read_code_book,
        read_questionnaires,
    )

    if not mappings:
        return read_fhir(data)
    form = load_settings(_one("questionnaire", mappings), TableForm)
    return read_questionnaires(data, form, read_code_book())


def _images(data: list[Path]) -> Iterator[Batch]:
    """DICOM headers, and embeddings where the files are arrays."""
    from posology.records.sources.imaging import read_dicom, read_embeddings

    arrays = [path for path in data if path.suffix in (".npz", ".parquet")]
    headers = [path for path in data if path not in arrays]
    if headers:
        yield from read_dicom(headers)
    if arrays:
        yield from read_embeddings(arrays)


def _one(kind: str, mappings: list[Path]) -> Path:
    if len(mappings) != 1:
        raise RecordError(
            f"--{kind} needs one mapping file (TOML) beside the data, not {len(mappings)}"
        )
    return mappings[0]
