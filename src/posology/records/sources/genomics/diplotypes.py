"""Diplotypes and phenotypes that a laboratory reported in a table, to events."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from posology.records.batching import Fact, Refusal, Rows, clean_part
from posology.records.io.python_tables import (
    ENDINGS,
    Row,
    blank,
    cell_number,
    cell_subject,
    cell_time,
    read_sheet,
)
from posology.records.io.text_lines import files_of
from posology.records.io.times import zone_named
from posology.records.schema import Batch
from posology.records.sources.fhir.genotypes import diplotype


@dataclass(frozen=True, slots=True)
class DiplotypeSettings:
    """The columns of a table of diplotypes."""

    subject: str = "subject"
    gene: str = "gene"
    diplotype: str = "diplotype"
    date: str = "date"
    """Of the report: when the result became known. An empty cell makes a static fact."""
    phenotype: str = "phenotype"
    activity_score: str = "activity_score"
    time_zone: str = "UTC"
    batch_rows: int = 50_000


def read_diplotypes(
    paths: Iterable[str | Path], settings: DiplotypeSettings | None = None
) -> Iterator[Batch]:
    """`GENOTYPE//gene//*1/*2`, and where told `PHENOTYPE//gene//...` and `ACTIVITY_SCORE//gene`."""
    settings = settings or DiplotypeSettings()
    zone = zone_named(settings.time_zone)
    rows = Rows(settings.batch_rows)
    needed = (settings.subject, settings.gene, settings.diplotype, settings.date)
    for path in files_of(paths, ENDINGS):
        for number, row in read_sheet(path, needed):
            if isinstance(row, Refusal):
                rows.refuse(str(path), number, row)
            else:
                _result(rows, (str(path), number), row, settings, zone)
            yield from rows.batches()
    yield from rows.batches(last=True)


def _result(
    rows: Rows, at: tuple[str, int], row: Row, settings: DiplotypeSettings, zone: ZoneInfo
) -> None:
    column = settings.subject
    try:
        subject = cell_subject(row[column])
        column = settings.date
        time = None if blank(row[column]) else cell_time(row[column], zone)
    except ValueError as error:
        rows.refuse(*at, Refusal(column, row[column], str(error)))
        return
    gene = clean_part(str(row[settings.gene] or ""))
    if not gene:
        rows.refuse(*at, Refusal(settings.gene, row[settings.gene], "names no gene"))
        return
    facts, refusals = [], []
    named = None if blank(row[settings.diplotype]) else str(row[settings.diplotype])
    told = diplotype(gene, named)
    if told is not None:
        facts.append(Fact(f"GENOTYPE//{gene}//{told}", time))
    phenotype = row.get(settings.phenotype)
    if not blank(phenotype):
        name = clean_part(str(phenotype)).lower()
        facts.append(Fact(f"PHENOTYPE//{gene}//{name}", time))
    score = row.get(settings.activity_score)
    if not blank(score):
        try:
            facts.append(Fact(f"ACTIVITY_SCORE//{gene}", time, cell_number(score), None, "1"))
        except ValueError as error:
            refusals.append(Refusal(settings.activity_score, score, str(error)))
    if not facts and not refusals:
        refusals.append(Refusal(settings.diplotype, "", "neither diplotype nor phenotype is told"))
    rows.add(*at, subject, facts, refusals)
