"""Which pairs of named alleles the observed bases admit, and how specific each pair is.

The method is that of PharmCAT's named allele matcher (Sangkuhl et al., Clin Pharmacol Ther
2020;107:203, doi:10.1002/cpt.1568), without its search for combinations and partial alleles. It
lists every phase combination; here each pair of alleles is checked against the observed bases
locus by locus, and against both strands within a phase block, which admits the same pairs.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from posology.domain.pharmacogenomics.definitions import (
    GeneDefinition,
    ObservedGene,
    possible_bases,
)


@dataclass(frozen=True, slots=True)
class AllelePair:
    """Two named alleles that together explain every observed base."""

    first: str
    second: str
    score: int
    """Observed loci that the alleles name, both added; a IUPAC letter that the patient's base
    leaves at the reference does not count."""
    is_visible: bool
    """Whether each allele names an observed locus; else the data neither show nor exclude it."""


def match_pairs(definition: GeneDefinition, observed: ObservedGene) -> list[AllelePair]:
    """Every pair that the observed bases admit; absent loci exclude nothing."""
    columns = [
        index for index, locus in enumerate(definition.loci) if locus.position in observed.sites
    ]
    alleles = definition.alleles
    if not columns:
        return []
    fits, named = _fit(definition, observed, columns)
    possible, score = _pair(fits, named, _blocks(definition, observed, columns))
    visible = _names_any(definition, columns)
    return [
        AllelePair(
            alleles[i].name, alleles[j].name, int(score[i, j]), bool(visible[i] and visible[j])
        )
        for i in range(len(alleles))
        for j in range(i, len(alleles))
        if possible[i, j]
    ]


def _names_any(definition: GeneDefinition, columns: list[int]) -> Bool[np.ndarray, " allele"]:
    chosen = frozenset(columns)
    return np.array([bool(allele.defining & chosen) for allele in definition.alleles])


def _fit(
    definition: GeneDefinition, observed: ObservedGene, columns: list[int]
) -> tuple[Bool[np.ndarray, "allele locus strand"], Bool[np.ndarray, "allele locus strand"]]:
    """Whether each allele has the base of each strand, and whether it names that locus for it."""
    shape = (len(definition.alleles), len(columns), 2)
    fits, named = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    reference = definition.reference
    for row, allele in enumerate(definition.alleles):
        for place, column in enumerate(columns):
            locus = definition.loci[column]
            base = allele.bases[column]
            blank = reference.bases[column] or locus.ref
            admitted = possible_bases(base if base is not None else blank)
            if base is None and len(admitted) > 1:
                admitted = frozenset((locus.ref,))
            for strand, seen in enumerate(observed.sites[locus.position].alleles):
                fits[row, place, strand] = seen in admitted
                wobbles = base is not None and len(admitted) > 1 and seen == locus.ref
                named[row, place, strand] = base is not None and not wobbles
    return fits, named


def _blocks(
    definition: GeneDefinition, observed: ObservedGene, columns: list[int]
) -> list[list[int]]:
    """Groups of places whose strands are known to be the same; a place without phase is alone."""
    blocks: dict[str, list[int]] = {}
    for place, column in enumerate(columns):
        site = observed.sites[definition.loci[column].position]
        is_free = not site.phase_block or site.alleles[0] == site.alleles[1]
        blocks.setdefault(f"\0{place}" if is_free else site.phase_block, []).append(place)
    return list(blocks.values())


def _pair(
    fits: Bool[np.ndarray, "allele locus strand"],
    named: Bool[np.ndarray, "allele locus strand"],
    blocks: list[list[int]],
) -> tuple[Bool[np.ndarray, "allele allele"], Int[np.ndarray, "allele allele"]]:
    count = len(fits)
    possible = np.ones((count, count), dtype=bool)
    score = np.zeros((count, count), dtype=int)
    for places in blocks:
        fit = np.all(fits[:, places], axis=1)
        weight = np.sum(named[:, places], axis=1)
        direct = fit[:, None, 0] & fit[None, :, 1]
        swapped = fit[:, None, 1] & fit[None, :, 0]
        possible &= direct | swapped
        score += np.maximum(
            np.where(direct, weight[:, None, 0] + weight[None, :, 1], 0),
            np.where(swapped, weight[:, None, 1] + weight[None, :, 0], 0),
        )
    return possible, score
