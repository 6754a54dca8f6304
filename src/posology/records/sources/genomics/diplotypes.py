"""Tables of diplotypes and phenotypes that a laboratory reported, as events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from posology.records.batching import BatchBuilder, code_part
from posology.records.io.python_tables import (
    TABLE_EXTENSIONS,
    Row,
    is_blank,
    parse_cell_time,
    parse_number,
    parse_subject,
    read_rows,
)
from posology.records.io.text_lines import list_files
from posology.records.io.times import parse_time_zone
from posology.records.schema import Batch, Event, Rejection
from posology.records.sources.fhir.genotypes import parse_diplotype


@dataclass(frozen=True, slots=True)
class DiplotypeSettings:
    """The columns of a table of diplotypes."""

    subject: str = "subject"
    gene: str = "gene"
    diplotype: str = "diplotype"
    date: str = "date"
    """Date of the report, when the result became known; an empty cell makes a static fact."""
    phenotype: str = "phenotype"
    activity_score: str = "activity_score"
    time_zone: str = "UTC"
    batch_rows: int = 50_000


def read_diplotypes(
    paths: Iterable[str | Path], settings: DiplotypeSettings | None = None
) -> Iterator[Batch]:
    """`GENOTYPE//gene//*1/*2`, and if present `PHENOTYPE//gene//...`, `ACTIVITY_SCORE//gene`."""
    settings = settings or DiplotypeSettings()
    zone = parse_time_zone(settings.time_zone)
    builder = BatchBuilder(settings.batch_rows)
    required = (settings.subject, settings.gene, settings.diplotype, settings.date)
    for path in list_files(paths, TABLE_EXTENSIONS):
        for number, row in read_rows(path, required):
            if isinstance(row, Rejection):
                builder.reject(str(path), number, row)
            else:
                _add_result(builder, (str(path), number), row, settings, zone)
            yield from builder.batches()
    yield from builder.batches(last=True)


def _add_result(
    builder: BatchBuilder,
    row_id: tuple[str, int],
    row: Row,
    settings: DiplotypeSettings,
    zone: ZoneInfo,
) -> None:
    column = settings.subject
    try:
        subject = parse_subject(row[column])
        column = settings.date
        time = None if is_blank(row[column]) else parse_cell_time(row[column], zone)
    except ValueError as error:
        builder.reject(*row_id, Rejection(column, row[column], str(error)))
        return
    gene = code_part(str(row[settings.gene] or ""))
    if not gene:
        builder.reject(*row_id, Rejection(settings.gene, row[settings.gene], "names no gene"))
        return
    events, rejections = [], []
    text = None if is_blank(row[settings.diplotype]) else str(row[settings.diplotype])
    diplotype = parse_diplotype(gene, text)
    if diplotype is not None:
        events.append(Event(f"GENOTYPE//{gene}//{diplotype}", time))
    phenotype = row.get(settings.phenotype)
    if not is_blank(phenotype):
        name = code_part(str(phenotype)).lower()
        events.append(Event(f"PHENOTYPE//{gene}//{name}", time))
    score = row.get(settings.activity_score)
    if not is_blank(score):
        try:
            events.append(Event(f"ACTIVITY_SCORE//{gene}", time, parse_number(score), None, "1"))
        except ValueError as error:
            rejections.append(Rejection(settings.activity_score, score, str(error)))
    if not events and not rejections:
        rejections.append(Rejection(settings.diplotype, "", "neither a diplotype nor a phenotype"))
    builder.add(*row_id, subject, events, rejections)
