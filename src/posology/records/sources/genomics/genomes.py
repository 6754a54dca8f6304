"""VCF files (plain, gzipped or gVCF) as genotype events at the positions of a panel."""

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from posology.errors import RecordError
from posology.records.batching import BatchBuilder, code_part, reject_other_files
from posology.records.io.python_tables import parse_cell_time
from posology.records.io.subject_ids import to_subject_id
from posology.records.io.text_lines import list_files, read_lines
from posology.records.io.times import parse_time_zone
from posology.records.schema import Batch, Event, Rejection
from posology.records.sources.genomics.vcf import (
    Call,
    Gate,
    Header,
    find_assembly,
    parse_call,
    read_header,
)

PANEL = Path(__file__).parents[2] / "codebooks" / "pharmacogenes.csv"
"""The package's panel: variants of warfarin, clopidogrel, thiopurine and statin guidelines."""
VCF_EXTENSIONS = (".vcf", ".vcf.gz", ".g.vcf", ".g.vcf.gz", ".vcf.bgz")
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True, slots=True)
class Site:
    """One position of the panel, on GRCh38."""

    gene: str
    rsid: str
    chrom: str
    """Chromosome as VCF files of GRCh38 name it, such as chr10."""
    position: int
    """1-based, on GRCh38."""
    ref: str
    alt: str
    """Alternate alleles, separated by commas."""
    strand: str
    """+ or -: the strand on which alleles are written; the gene's strand, as laboratories do."""


@dataclass(frozen=True, slots=True)
class VcfSettings:
    """How VCF files are read."""

    panel: Path = PANEL
    known: str | None = None
    """ISO 8601 time of the report, a year or month at its end; without it, genotypes are static."""
    assembly: str | None = None
    """GRCh38, if the file's header has neither contig lengths nor an assembly."""
    tables: Path | None = None
    """Folder of PharmCAT's tables: star alleles and phenotypes of genes that they settle."""
    gate: Gate = field(default_factory=Gate)
    subjects: dict[str, str] = field(default_factory=dict)
    """Subject of each sample; by default the sample's name."""
    batch_rows: int = 50_000


def read_panel(path: Path = PANEL) -> tuple[Site, ...]:
    """The positions of a panel file: CSV of gene, rsid, chrom, position, ref, alt, strand."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: the panel cannot be read: {error}") from error
    sites = []
    for number, row in enumerate(rows, start=1):
        try:
            site = Site(
                row["gene"].strip(),
                row["rsid"].strip(),
                row["chrom"].strip(),
                int(row["position"]),
                row["ref"].strip().upper(),
                row["alt"].strip().upper(),
                (row.get("strand") or "+").strip(),
            )
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise RecordError(
                f"{path}: row {number}: needs gene, rsid, chrom, position (a number), ref, alt "
                f"and strand ({error})"
            ) from error
        if site.strand not in ("+", "-") or not site.ref:
            raise RecordError(f"{path}: row {number}: strand {site.strand!r} is not + or -")
        sites.append(site)
    if not sites:
        raise RecordError(f"{path}: names no position")
    return tuple(sites)


def read_vcf(paths: Iterable[str | Path], settings: VcfSettings | None = None) -> Iterator[Batch]:
    """Genotypes at the panel's positions, `GENOTYPE//gene_rsid//A/G`, alleles sorted by letter.

    A row is a position of the panel for one sample; its source is `file#sample`. A position that
    is not in the file is no call, never the reference. The genotype as VCF writes it, with phase,
    is the event's text.
    """
    settings = settings or VcfSettings()
    panel = read_panel(settings.panel)
    time = report_time(settings)
    builder = BatchBuilder(settings.batch_rows)
    paths = [*paths]
    reject_other_files(builder, paths, VCF_EXTENSIONS)
    for path in list_files(paths, VCF_EXTENSIONS):
        _read_file(path, panel, settings, time, builder)
        yield from builder.batches()
    yield from builder.batches(last=True)


def report_time(settings: VcfSettings) -> int | None:
    """When genotypes are known, in microseconds since 1970; None of static facts."""
    if not settings.known:
        return None
    try:
        return parse_cell_time(settings.known, parse_time_zone("UTC"))
    except ValueError as error:
        raise RecordError(f"known {settings.known!r} is not an ISO 8601 time") from error


def _read_file(
    path: Path,
    panel: tuple[Site, ...],
    settings: VcfSettings,
    time: int | None,
    builder: BatchBuilder,
) -> None:
    lines = read_lines(path)
    header = read_header(lines)
    if isinstance(header, Rejection):
        builder.reject(str(path), 1, header)
        return
    fault = find_fault(header, settings.assembly)
    calls: list[list[list[Call]]] = [[[] for _ in panel] for _ in header.samples]
    damage = collect_calls(lines, panel, settings.gate, calls) if fault is None else None
    for name, sample_calls in zip(header.samples, calls, strict=True):
        subject = settings.subjects.get(name) if settings.subjects else name
        problem = fault if subject and subject.strip() else f"sample {name!r} has no subject"
        for number, (site, records) in enumerate(zip(panel, sample_calls, strict=True), start=1):
            outcome = problem if problem is not None else _choose_call(site, records)
            if isinstance(outcome, str):
                if damage is not None and not records:
                    outcome = f"{outcome}; {damage}"
                rejection = Rejection(f"{site.gene} {site.rsid}", "", outcome)
                builder.reject(f"{path}#{name}", number, rejection)
            else:
                code = f"GENOTYPE//{code_part(site.gene)}_{code_part(site.rsid)}"
                alleles = _format_alleles(site, outcome.alleles)
                event = Event(f"{code}//{alleles}", time, None, outcome.genotype)
                builder.add(f"{path}#{name}", number, to_subject_id(str(subject)), [event])


def find_fault(header: Header, assembly: str | None) -> str | None:
    """Why the positions of a file are not those of GRCh38; None if they are."""
    found, evidence = find_assembly(header)
    if found is None and assembly != "GRCh38":
        return "its header names no assembly; set assembly = GRCh38 if you know it is"
    if found not in (None, "GRCh38"):
        return f"it is {found} ({evidence}); lift it over to GRCh38 first"
    return None


def collect_calls(
    lines: Iterator[tuple[int, bytes | Rejection]],
    panel: tuple[Site, ...],
    gate: Gate,
    calls: list[list[list[Call]]],
) -> str | None:
    """Append each record of a site to `calls` (sample, site); the reason if the file is cut off."""
    by_chrom: dict[bytes, list[tuple[int, int]]] = {}
    for index, site in enumerate(panel):
        for name in {site.chrom, site.chrom.removeprefix("chr")}:
            by_chrom.setdefault(name.encode(), []).append((site.position, index))
    for places in by_chrom.values():
        places.sort()
    for _, line in lines:
        if isinstance(line, Rejection):
            return line.reason
        chrom, _, rest = line.partition(b"\t")
        places = by_chrom.get(chrom)
        text = rest.partition(b"\t")[0]
        if places is None or not _is_position(text):
            continue
        start = int(text)
        cells = None
        end = start if b"END=" not in line else _block_end(line, start)
        first = bisect_left(places, (start, -1))
        for _, index in places[first : bisect_right(places, (end, len(panel)))]:
            cells = cells or line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
            for sample, sample_calls in enumerate(calls):
                call = parse_call(cells, sample, panel[index].position, gate)
                sample_calls[index].append(call)
    return None


def _block_end(line: bytes, start: int) -> int:
    """Last position of a gVCF block."""
    info = line.split(b"\t", 8)[7] if line.count(b"\t", 0, 4096) >= 7 else b""
    for part in info.split(b";"):
        if part.startswith(b"END=") and _is_position(part[4:].strip()):
            return max(start, int(part[4:]))
    return start


def _is_position(text: bytes) -> bool:
    return text.isdigit() and len(text) <= 12


def _choose_call(site: Site, records: list[Call]) -> Call | str:
    """The one call of a site, or why there is none."""
    if not records:
        return "no record at this position: no call, not reference"
    read = [call for call in records if call.reason is None]
    if not read:
        return records[0].reason or "no call"
    checked = [_check_alleles(site, call) for call in read]
    valid = [call for call in checked if isinstance(call, Call)]
    if not valid:
        return next(c for c in checked if isinstance(c, str))
    if len({tuple(sorted(call.alleles)) for call in valid}) > 1:
        return "two records give different genotypes; join them with bcftools norm -m +any"
    return valid[0]


def _check_alleles(site: Site, call: Call) -> Call | str:
    """The call with the site's alleles, or why they are not the panel's."""
    known = {site.ref, *site.alt.split(",")}
    if call.block:
        return Call(call.genotype, tuple(site.ref for _ in call.alleles), None, False)
    if call.reference != site.ref:
        return (
            f"reference is {call.reference} here, {site.ref} in the panel: another assembly, or "
            "not left-aligned (bcftools norm)"
        )
    unknown = [allele for allele in call.alleles if allele not in known]
    if unknown:
        return f"allele {unknown[0]} is not one of the panel's ({site.ref}, {site.alt})"
    return call


def _format_alleles(site: Site, alleles: tuple[str, ...]) -> str:
    """The alleles on the site's strand, sorted, such as `A/G`."""
    if site.strand == "-":
        alleles = tuple(allele.translate(_COMPLEMENT)[::-1] for allele in alleles)
    return "/".join(sorted(alleles))
