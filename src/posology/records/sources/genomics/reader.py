"""The source `--vcf`: variants, star alleles where tables define them, and reported diplotypes."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from posology.records.io.python_tables import TABLE_EXTENSIONS
from posology.records.io.settings import load_settings
from posology.records.pipeline.staging import Source, batch_source, only_mapping, split_mapping
from posology.records.schema import Batch
from posology.records.sources.genomics.diplotypes import read_diplotypes
from posology.records.sources.genomics.genomes import VcfSettings, read_vcf
from posology.records.sources.genomics.star_alleles import read_star_alleles


def make_sources(inputs: Sequence[str | Path]) -> list[Source]:
    """One source: VCF files, and diplotypes from files that are tables."""
    mappings, paths = split_mapping(inputs)
    tables = [path for path in paths if path.name.lower().endswith(TABLE_EXTENSIONS)]
    variants = [path for path in paths if path not in tables]

    def read() -> Iterator[Batch]:
        if variants:
            mapping = only_mapping("vcf", mappings) if mappings else None
            settings = load_settings(mapping, VcfSettings) if mapping else VcfSettings()
            yield from read_vcf(variants, settings)
            if settings.tables is not None:
                yield from read_star_alleles(variants, settings)
        if tables:
            yield from read_diplotypes(tables)

    return [batch_source("vcf", inputs, read)]
