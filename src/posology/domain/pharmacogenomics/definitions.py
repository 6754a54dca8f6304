"""What defines the alleles of a gene, and what was observed of a patient at its positions."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_IUPAC = {
    # IUPAC-IUB 1984, Cornish-Bowden, Nucleic Acids Res 1985;13:3021
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}


@dataclass(frozen=True, slots=True)
class Locus:
    """One position of a gene, on GRCh38, forward strand, spelled as VCF does."""

    chrom: str
    position: int
    """1-based."""
    rsid: str
    """dbSNP identifier; empty if it has none."""
    ref: str
    alts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The dbSNP identifier, else the place."""
        return self.rsid or f"{self.chrom}:{self.position}"


@dataclass(frozen=True, slots=True)
class NamedAllele:
    """A star allele: the bases that define it."""

    name: str
    bases: tuple[str | None, ...]
    """One a locus; None is the reference's base; a IUPAC letter admits several bases."""
    is_reference: bool

    @property
    def defining(self) -> frozenset[int]:
        """Indices of the loci that it names."""
        return frozenset(index for index, base in enumerate(self.bases) if base is not None)


@dataclass(frozen=True, slots=True)
class GeneDefinition:
    """All named alleles of a gene in one version of its table."""

    gene: str
    build: str
    """Genome build of its positions, such as GRCh38.p14."""
    version: str
    loci: tuple[Locus, ...]
    alleles: tuple[NamedAllele, ...]
    core_names: tuple[tuple[str, str], ...] = ()
    """Suballeles and the allele under which each is reported: `*45.001`, `*45`."""
    required: frozenset[int] = frozenset()
    """Positions without which the gene is not called."""
    priorities: tuple[tuple[frozenset[str], str], ...] = ()
    """Diplotypes that unphased data cannot tell apart, and the more frequent one."""

    @property
    def reference(self) -> NamedAllele:
        """The allele that has the reference's base where nothing else is named."""
        return next(allele for allele in self.alleles if allele.is_reference)


@dataclass(frozen=True, slots=True)
class ObservedSite:
    """The two bases of a patient at one locus, in the locus's spelling."""

    alleles: tuple[str, str]
    phase_block: str = ""
    """Sites of one block keep their strands; empty if it is not known which strand has which."""


@dataclass(frozen=True, slots=True)
class ObservedGene:
    """What is known of a patient at the positions of one gene. What is absent is not known."""

    sites: dict[int, ObservedSite] = field(default_factory=dict)
    """By position."""
    problems: dict[int, str] = field(default_factory=dict)
    """Why a position has no call, where a record or a reason exists."""


def possible_bases(base: str) -> frozenset[str]:
    """The bases that a base of a definition admits: several for a IUPAC letter."""
    return frozenset(_IUPAC.get(base, (base,)))


def natural_order(name: str) -> tuple[bool, list[tuple[int, int, str]]]:
    """Sorting key of allele names: references first, and *2 before *10."""
    parts = re.split(r"(\d+)", name)
    numbers = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
    return (not name.lower().startswith("reference"), numbers)


def sort_pair(first: str, second: str) -> tuple[str, str]:
    """Two names, the smaller one first."""
    return (second, first) if natural_order(second) < natural_order(first) else (first, second)


def join_diplotype(first: str, second: str) -> str:
    """`*1/*2`, the smaller name first."""
    return "/".join(sort_pair(first, second))


def in_natural_order(names: Iterable[str]) -> tuple[str, ...]:
    """The names without repetition, *2 before *10."""
    return tuple(sorted(set(names), key=natural_order))
