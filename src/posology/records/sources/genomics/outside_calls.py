"""Read the results of a laboratory: a table of gene, diplotype, phenotype and activity score."""

import csv
from pathlib import Path

from posology.domain.pharmacogenomics.phenotypes import ReportedGene
from posology.errors import RecordError

_COLUMNS = ("gene", "diplotype", "phenotype", "activity_score")


def read_outside_calls(path: str | Path) -> tuple[ReportedGene, ...]:
    """Results of one patient: tab-separated gene, diplotype, phenotype, activity score.

    PharmCAT's form of outside calls: no header is needed, lines that start with # are comments,
    and further columns are not read. An allele may repeat its gene's name (`CYP2D6*1/CYP2D6*4`).
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: cannot be read: {error}") from error
    reports = []
    lines = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, cells in enumerate(lines, start=1):
        if not cells or not "".join(cells).strip() or cells[0].startswith("#"):
            continue
        values = [cell.strip(' "') for cell in cells[:4]] + [""] * (4 - len(cells))
        if tuple(x.lower().replace(" ", "_") for x in values[:2]) == _COLUMNS[:2]:
            continue
        gene = values[0]
        if not gene or not any(values[1:]):
            raise RecordError(
                f"{path}: line {number}: needs a gene and one of diplotype, phenotype and activity "
                "score, separated by tabs"
            )
        alleles = [part.strip().removeprefix(gene) for part in values[1].split("/") if part.strip()]
        reports.append(ReportedGene(gene, "/".join(alleles), values[2], values[3]))
    seen = [report.gene for report in reports]
    twice = next((gene for gene in seen if seen.count(gene) > 1), None)
    if twice:
        raise RecordError(f"{path}: {twice} stands on two lines; keep the one that counts")
    if not reports:
        raise RecordError(f"{path}: holds no result")
    return tuple(reports)
