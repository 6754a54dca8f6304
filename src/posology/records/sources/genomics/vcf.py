"""Parse VCF: the header and one sample's call (VCF 4.3 specification, sections 1.4 and 1.6)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from posology.records.schema import Rejection

_LENGTHS = {
    # contig lengths of GRCh37 and GRCh38 (Genome Reference Consortium, assembly reports)
    "1": (249250621, 248956422),
    "2": (243199373, 242193529),
    "4": (191154276, 190214555),
    "6": (171115067, 170805979),
    "7": (159138663, 159345973),
    "10": (135534747, 133797422),
    "12": (133851895, 133275309),
    "13": (115169878, 114364328),
    "16": (90354753, 90338345),
    "19": (59128983, 58617616),
    "22": (51304566, 50818468),
    "X": (155270560, 156040895),
}


_ALTS_OF_BLOCKS = frozenset({".", "<NON_REF>", "<*>"})
"""ALT of reference blocks (VCF 4.3, section 5.5); `<DEL>` with 0/0 says nothing of single bases."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a VCF file."""

    samples: tuple[str, ...]
    contigs: dict[str, int]
    """Length of each contig, if the header has it."""
    assembly: str | None
    """The assembly that contig lines name, such as GRCh38.p14."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Quality that a record needs to be a call; a missing QUAL, GQ or FILTER passes."""

    least_quality: float = 20.0
    """QUAL; 20 is one error in 100 (our choice)."""
    least_genotype_quality: float = 20.0
    """GQ; 20 is one error in 100 (our choice)."""
    filters: tuple[str, ...] = ("PASS", ".")


@dataclass(frozen=True, slots=True)
class Call:
    """The call of one sample at one position, from one record."""

    genotype: str
    """As VCF writes it, such as 0|1."""
    alleles: tuple[str, ...]
    """Bases on the forward strand; empty if there is no call."""
    reason: str | None
    """Why there is no call; None for a call."""
    block: bool
    """Whether the record is a gVCF reference block."""
    reference: str = ""
    """Bases of REF."""
    phase_block: str = ""
    """Calls of one block keep their strands; empty if unphased."""


def read_header(lines: Iterator[tuple[int, bytes | Rejection]]) -> Header | Rejection:
    """Parse up to the line of column names; the iterator is then at the first record."""
    contigs: dict[str, int] = {}
    assembly = None
    for _, line in lines:
        if isinstance(line, Rejection):
            return line
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.startswith("##contig=<"):
            name = re.search(r"[<,]ID=([^,>]+)", text)
            length = re.search(r"[<,]length=(\d{1,12})", text)
            stated = re.search(r"[<,]assembly=\"?([^,>\"]+)", text)
            assembly = stated[1] if stated else assembly
            if name and length:
                contigs[name[1]] = int(length[1])
        elif text.startswith("#CHROM"):
            cells = text.split("\t")
            if len(cells) < 10:
                return Rejection("header", text, "no sample column: the file has no genotypes")
            if len({*cells[9:]}) < len(cells[9:]):
                return Rejection("header", "", "two sample columns have the same name")
            return Header(tuple(cells[9:]), contigs, assembly)
        elif not text.startswith("#"):
            return Rejection("header", text, "not a VCF: no #CHROM line before the records")
    return Rejection("header", "", "not a VCF: it ends before a #CHROM line")


def find_assembly(header: Header) -> tuple[str | None, str]:
    """The assembly and the evidence: contig lengths, then names; None if neither shows it."""
    for name, length in header.contigs.items():
        known = _LENGTHS.get(name.removeprefix("chr"))
        if known and length in known:
            return ("GRCh37", "GRCh38")[known.index(length)], f"{name} has length {length}"
        if known:
            return "an unknown assembly", f"{name} has length {length}"
    for name, spelled in (("GRCh38", ("grch38", "hg38")), ("GRCh37", ("grch37", "hg19", "b37"))):
        if header.assembly is not None and header.assembly.lower().startswith(spelled):
            return name, f"its contig lines name {header.assembly}"
    return None, ""


def parse_call(cells: list[str], sample: int, position: int, gate: Gate) -> Call:
    """The call of a sample at a position within a record; `cells` is the record split at tabs."""
    if len(cells) < 10 + sample:
        return _no_call("the record ends before its sample column")
    ref, alts, quality, passed, info = cells[3].upper(), *cells[4:8]
    fields = dict(zip(cells[8].split(":"), cells[9 + sample].split(":"), strict=False))
    block = ";END=" in f";{info}" and {*alts.split(",")} <= _ALTS_OF_BLOCKS
    block = block and "SVTYPE=" not in info  # such as a segment without copies lost or gained
    if int(cells[1]) != position and not block:
        return _no_call("lies inside a longer record; left-align and split (bcftools norm)")
    if set(passed.split(";")) - set(gate.filters):
        return _no_call(f"FILTER is {passed[:60]}")
    for name, text, least in (
        ("QUAL", quality, gate.least_quality),
        ("GQ", fields.get("GQ", "."), gate.least_genotype_quality),
    ):
        problem = _quality_problem(name, text, least)
        if problem:
            return _no_call(problem)
    call = _parse_genotype(fields.get("GT", ""), ref, alts, block)
    return replace(call, phase_block=_phase_block(call.genotype, fields.get("PS", "")))


def _phase_block(genotype: str, phase_set: str) -> str:
    """A name shared by calls whose strands are known to be the same (VCF 4.3, section 1.4.2)."""
    if "|" not in genotype:
        return ""
    return "phased" if phase_set in ("", ".") else f"PS {phase_set}"


def _parse_genotype(text: str, ref: str, alts: str, block: bool) -> Call:
    numbers = text.replace("|", "/").split("/")
    if all(number in (".", "") for number in numbers):
        return _no_call("the genotype is missing")
    if "." in numbers:
        return _no_call(f"one allele ({text[:20]}) is missing")
    bases = [ref, *(alt.upper() for alt in alts.split(","))]
    named = {str(number): allele for number, allele in enumerate(bases)}
    if not all(number in named for number in numbers):
        return _no_call(f"genotype {text[:20]!r} names no allele of the record")
    alleles = tuple(named[number] for number in numbers)
    if block and set(numbers) != {"0"}:
        return _no_call(f"genotype {text[:20]} in a reference block")
    symbolic = [a for a in alleles if not a or set(a) - set("ACGT")]
    if symbolic and not block:
        return _no_call(f"allele {symbolic[0][:40]} is not a sequence of bases")
    return Call(text, alleles, None, block, ref)


def _quality_problem(name: str, text: str, least: float) -> str | None:
    """Why the quality is too low; None if it is missing or high enough."""
    if text in (".", ""):
        return None
    try:
        value = float(text)
    except ValueError:
        return f"{name} {text[:20]!r} is not a number"
    return None if value >= least else f"{name} {text[:20]} is below {least:g}"


def _no_call(reason: str) -> Call:
    return Call("", (), reason, False)
