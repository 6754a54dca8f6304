"""VCF files, plain, gzipped or gVCF, to genotype events at the positions of a panel."""

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from posology.errors import RecordError
from posology.records.batching import Fact, Refusal, Rows, clean_part
from posology.records.io.subject_ids import subject_number
from posology.records.io.text_lines import files_of, read_lines
from posology.records.io.times import parse_time, zone_named
from posology.records.schema import Batch
from posology.records.sources.genomics.vcf import Call, Gate, assembly_of, call_of, read_header

PANEL = Path(__file__).parents[2] / "codebooks" / "pharmacogenes.csv"
"""The panel that ships: variants of warfarin, clopidogrel, thiopurine and statin guidance."""
_ENDINGS = (".vcf", ".vcf.gz", ".g.vcf", ".g.vcf.gz", ".vcf.bgz")
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True, slots=True)
class Site:
    """One named position of GRCh38."""

    gene: str
    rsid: str
    chrom: str
    """As VCF of GRCh38 names it, such as chr10."""
    position: int
    """1-based, on GRCh38."""
    ref: str
    alt: str
    """Alternate alleles, separated by commas."""
    strand: str
    """+ or -: the strand on which alleles are told, the gene's own as laboratories report it."""


@dataclass(frozen=True, slots=True)
class VcfSettings:
    """What counts as a call."""

    panel: Path = PANEL
    known: str | None = None
    """ISO 8601 time at which the results were reported; a static fact where it is not told."""
    assembly: str | None = None
    """GRCh38, where the file's header tells neither contig lengths nor an assembly."""
    gate: Gate = field(default_factory=Gate)
    subjects: dict[str, str] = field(default_factory=dict)
    """Subject of each sample, where the names of samples are not those of subjects."""
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
    """Genotypes at the panel's positions, `GENOTYPE//gene_rsid//A/G`, alleles in order of letter.

    A row is a position of the panel for one sample; its source is `file#sample`. A position that
    the file does not hold is no call, never reference. Alleles as VCF wrote them, with phase, are
    the event's text. The subject is the sample's name unless the settings
    say otherwise.
    """
    settings = settings or VcfSettings()
    panel = read_panel(settings.panel)
    zone = zone_named("UTC")
    try:
        time = parse_time(settings.known, zone) if settings.known else None
    except ValueError as error:
        raise RecordError(f"known {settings.known!r} is not an ISO 8601 time") from error
    rows = Rows(settings.batch_rows)
    for path in files_of(paths, _ENDINGS):
        _read_file(path, panel, settings, time, rows)
        yield from rows.batches()
    yield from rows.batches(last=True)


def _read_file(
    path: Path, panel: tuple[Site, ...], settings: VcfSettings, time: int | None, rows: Rows
) -> None:
    lines = read_lines(path)
    header = read_header(lines)
    if isinstance(header, Refusal):
        rows.refuse(str(path), 1, header)
        return
    assembly, evidence = assembly_of(header)
    wrong = None
    if assembly is None and settings.assembly != "GRCh38":
        wrong = "its header tells no assembly; set assembly = GRCh38 if you know it is"
    elif assembly not in (None, "GRCh38"):
        wrong = f"it is {assembly} ({evidence}); lift it over to GRCh38 first"
    calls: list[list[list[Call]]] = [[[] for _ in panel] for _ in header.samples]
    broken = _collect(lines, panel, settings.gate, calls) if wrong is None else None
    for name, of_sample in zip(header.samples, calls, strict=True):
        subject = settings.subjects.get(name) if settings.subjects else name
        problem = wrong if subject and subject.strip() else f"sample {name!r} is no subject's"
        for number, (site, found) in enumerate(zip(panel, of_sample, strict=True), start=1):
            outcome = problem if problem is not None else _decide(site, found)
            if isinstance(outcome, str):
                if broken is not None and not found:
                    outcome = f"{outcome}; {broken}"
                refusal = Refusal(f"{site.gene} {site.rsid}", "", outcome)
                rows.refuse(f"{path}#{name}", number, refusal)
            else:
                code = f"GENOTYPE//{clean_part(site.gene)}_{clean_part(site.rsid)}"
                told = _told(site, outcome.alleles)
                fact = Fact(f"{code}//{told}", time, None, outcome.genotype)
                rows.add(f"{path}#{name}", number, subject_number(str(subject)), [fact])


def _collect(
    lines: Iterator[tuple[int, bytes | Refusal]],
    panel: tuple[Site, ...],
    gate: Gate,
    calls: list[list[list[Call]]],
) -> str | None:
    """Puts what the file says of each site into `calls`; the reason if the file breaks off."""
    by_chrom: dict[bytes, list[tuple[int, int]]] = {}
    for index, site in enumerate(panel):
        for name in {site.chrom, site.chrom.removeprefix("chr")}:
            by_chrom.setdefault(name.encode(), []).append((site.position, index))
    for places in by_chrom.values():
        places.sort()
    for _, line in lines:
        if isinstance(line, Refusal):
            return line.reason
        chrom, _, rest = line.partition(b"\t")
        places = by_chrom.get(chrom)
        text = rest.partition(b"\t")[0]
        if places is None or not text.isdigit():
            continue
        start = int(text)
        cells = None
        end = start if b"END=" not in line else _block_end(line, start)
        first = bisect_left(places, (start, -1))
        for _, index in places[first : bisect_right(places, (end, len(panel)))]:
            cells = cells or line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
            for sample, of_sample in enumerate(calls):
                of_sample[index].append(call_of(cells, sample, panel[index].position, gate))
    return None


def _block_end(line: bytes, start: int) -> int:
    info = line.split(b"\t", 8)[7] if line.count(b"\t", 0, 4096) >= 7 else b""
    for part in info.split(b";"):
        if part.startswith(b"END=") and part[4:].strip().isdigit():
            return max(start, int(part[4:]))
    return start


def _decide(site: Site, found: list[Call]) -> Call | str:
    """The one call of a site, or why there is none."""
    if not found:
        return "no record at this position: no call, not reference"
    read = [call for call in found if call.reason is None]
    if not read:
        return found[0].reason or "no call"
    resolved = [_resolve(site, call) for call in read]
    good = [call for call in resolved if isinstance(call, Call)]
    if not good:
        return next(c for c in resolved if isinstance(c, str))
    if len({tuple(sorted(call.alleles)) for call in good}) > 1:
        return "two records give different genotypes; join them with bcftools norm -m +any"
    return good[0]


def _resolve(site: Site, call: Call) -> Call | str:
    known = {site.ref, *site.alt.split(",")}
    if call.block:
        return Call(call.genotype, tuple(site.ref for _ in call.alleles), None, False)
    if call.reference != site.ref:
        return (
            f"reference is {call.reference} here, {site.ref} in the panel: another assembly, or "
            "not left-aligned (bcftools norm)"
        )
    strange = [allele for allele in call.alleles if allele not in known]
    if strange:
        return f"allele {strange[0]} is not one of the panel's ({site.ref}, {site.alt})"
    return call


def _told(site: Site, alleles: tuple[str, ...]) -> str:
    if site.strand == "-":
        alleles = tuple(allele.translate(_COMPLEMENT)[::-1] for allele in alleles)
    return "/".join(sorted(alleles))
