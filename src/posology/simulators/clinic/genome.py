"""Named variants and their published effects.

Positions are GRCh38 (dbSNP; those of SLC2A2, GLP1R and CTRB1 from memory, to be checked).
Frequencies are of the ALT allele in Europeans, rounded (gnomAD).
Effects are mmol/mol of HbA1c more fall on the option per effect allele. 1 % HbA1c is 10.93
mmol/mol. **Effects found in one small study only are halved** for the winner's curse: our choice.
CYP2C8*3 and SLCO1B1 521T>C are left out: they mattered for rosiglitazone and not for pioglitazone
(Dawed 2016, Diabetes Care 39:1902). ARRB1 (Dawed 2023) is too rare in Europeans to matter.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int8

from posology.simulators.clinic.draws import Draws
from posology.simulators.clinic.options import DPP4, GLP1, OPTIONS, SU, TZD


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant, with the fields of a VCF."""

    rsid: str
    gene: str
    chromosome: str
    position: int
    ref: str
    alt: str
    frequency: float
    """Of the ALT allele."""


VARIANTS: tuple[Variant, ...] = (
    Variant("rs12208357", "SLC22A1", "chr6", 160122116, "C", "T", 0.07),
    Variant("rs72552763", "SLC22A1", "chr6", 160139849, "TGAT", "T", 0.18),
    Variant("rs8192675", "SLC2A2", "chr3", 171007094, "T", "C", 0.30),
    Variant("rs1799853", "CYP2C9", "chr10", 94942290, "C", "T", 0.127),  # *2
    Variant("rs1057910", "CYP2C9", "chr10", 94981296, "A", "C", 0.069),  # *3
    Variant("rs7903146", "TCF7L2", "chr10", 112998590, "C", "T", 0.38),  # raised in T2D
    Variant("rs5219", "KCNJ11", "chr11", 17388025, "T", "C", 0.62),  # T is 23K, the reference
    Variant("rs1801282", "PPARG", "chr3", 12351626, "C", "G", 0.12),  # G is 12Ala
    Variant("rs6923761", "GLP1R", "chr6", 39066296, "G", "A", 0.33),  # A is 168Ser
    Variant("rs7202877", "CTRB1", "chr16", 75213347, "T", "G", 0.11),
)
ROW = {variant.rsid: row for row, variant in enumerate(VARIANTS)}

CYP2C9_TWO, CYP2C9_ONE = 5.5, 1.4
"""Two loss-of-function alleles: 0.5 % more fall (Zhou 2010, Clin Pharmacol Ther 87:52, n=1,073).
One: a quarter of it, our choice (the paper's trend is per allele, its effect in two copies)."""
TCF7L2_SU = -1.5
"""Per T allele. TT against CC: odds of failure about 2 (Pearson 2007, Diabetes 56:2178, n=901),
which near an outcome SD of 9 is some 3 mmol/mol."""
TCF7L2_DPP4 = -1.4
"""TT against CC 0.26 % or 2.8 mmol/mol (Zimdahl 2014, Diabetologia 57:1869, four trials, n=961);
spread over two alleles, our choice."""
KCNJ11_SU = 0.7
"""Per 23K allele. Carriers 1.04 against 0.79 % on gliclazide (Javorsky 2012, n=101): halved."""
PPARG_TZD = 2.0
"""12Ala carriers respond more to thiazolidinediones (Kang 2005, Clin Pharmacol Ther 78:202; Hsieh
2010 on pioglitazone): direction published, size our choice."""
GLP1R_GLP1 = -0.9
"""Per 168Ser allele (Dawed 2023, Lancet Diabetes Endocrinol 11:33, n=4,571)."""
CTRB_DPP4 = -2.8
"""G carriers 0.51 % less fall ('t Hart 2013, Diabetes 62:3275, n=354): halved."""
SLC22A1_METFORMIN = 1.0
"""HbA1c on metformin, per reduced-function allele: less glucose lowering in volunteers (Shu 2007,
J Clin Invest 117:1422), none seen in GoDARTS (Zhou 2009): small, our choice."""
SLC2A2_METFORMIN = -1.9
"""HbA1c on metformin, per C allele: 0.17 % more fall (Zhou 2016, Nat Genet 48:1055, n=13,123)."""

Genotype = Int8[np.ndarray, "subject variant"]
"""Copies of the ALT allele."""


def draw_genotypes(draws: Draws) -> Genotype:
    """Genotypes in Hardy-Weinberg equilibrium; a haplotype holds at most one of CYP2C9 *2, *3."""
    out = np.zeros((len(draws.key), len(VARIANTS)), np.int8)
    for copy in range(2):
        for row, variant in enumerate(VARIANTS):
            if variant.gene != "CYP2C9":
                out[:, row] += draws.uniform(f"allele {variant.rsid}", copy) < variant.frequency
        haplotype = draws.uniform("allele CYP2C9", copy)
        two = VARIANTS[ROW["rs1799853"]].frequency
        three = VARIANTS[ROW["rs1057910"]].frequency
        out[:, ROW["rs1799853"]] += haplotype < two
        out[:, ROW["rs1057910"]] += (haplotype >= two) & (haplotype < two + three)
    return out


def count_lost_cyp2c9(genotype: Genotype) -> Int8[np.ndarray, " subject"]:
    """Copies of CYP2C9 without full function."""
    return genotype[:, ROW["rs1799853"]] + genotype[:, ROW["rs1057910"]]


def extra_fall(genotype: Genotype) -> Float64[np.ndarray, "subject treatment"]:
    """Extra fall of HbA1c on each option due to the variants, mmol/mol."""
    out = np.zeros((len(genotype), len(OPTIONS)))
    lost, tcf7l2 = count_lost_cyp2c9(genotype), genotype[:, ROW["rs7903146"]]
    out[:, SU] = np.where(lost == 2, CYP2C9_TWO, np.where(lost == 1, CYP2C9_ONE, 0.0))
    out[:, SU] += TCF7L2_SU * tcf7l2 + KCNJ11_SU * (2 - genotype[:, ROW["rs5219"]])
    out[:, DPP4] = TCF7L2_DPP4 * tcf7l2 + CTRB_DPP4 * (genotype[:, ROW["rs7202877"]] > 0)
    out[:, TZD] = PPARG_TZD * (genotype[:, ROW["rs1801282"]] > 0)
    out[:, GLP1] = GLP1R_GLP1 * genotype[:, ROW["rs6923761"]]
    return out


def mean_extra_fall() -> Float64[np.ndarray, " treatment"]:
    """Exact population mean of `extra_fall`, from the frequencies."""
    p = {variant.rsid: variant.frequency for variant in VARIANTS}
    lost = p["rs1799853"] + p["rs1057910"]
    out = np.zeros(len(OPTIONS))
    out[SU] = CYP2C9_TWO * lost**2 + CYP2C9_ONE * 2 * lost * (1 - lost)
    out[SU] += 2 * TCF7L2_SU * p["rs7903146"] + 2 * KCNJ11_SU * (1 - p["rs5219"])
    out[DPP4] = 2 * TCF7L2_DPP4 * p["rs7903146"] + CTRB_DPP4 * (1 - (1 - p["rs7202877"]) ** 2)
    out[TZD] = PPARG_TZD * (1 - (1 - p["rs1801282"]) ** 2)
    out[GLP1] = 2 * GLP1R_GLP1 * p["rs6923761"]
    return out


def metformin_shift(genotype: Genotype) -> Float64[np.ndarray, " subject"]:
    """Shift of HbA1c on metformin by the genotype, mmol/mol, relative to the population mean."""
    reduced = genotype[:, ROW["rs12208357"]] + genotype[:, ROW["rs72552763"]]
    mean = 2 * (SLC22A1_METFORMIN * 0.25 + SLC2A2_METFORMIN * 0.30)
    return SLC22A1_METFORMIN * reduced + SLC2A2_METFORMIN * genotype[:, ROW["rs8192675"]] - mean
