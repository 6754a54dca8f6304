"""The fall of HbA1c on each option: average effects and their modifiers, with sources.

All in mmol/mol of HbA1c at six months, positive is more fall, at the largest dose and the
adherence of a trial (0.9), for the reference patient below, added to metformin.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from posology.simulators.clinic.draws import Draws
from posology.simulators.clinic.genome import Genotype, extra_fall, mean_extra_fall
from posology.simulators.clinic.options import GLP1, OPTIONS, TZD

REFERENCE = {"hba1c": 70.0, "bmi": 32.0, "egfr": 90.0, "age": 59.0, "duration": 6.5}
"""The patient with the average effects; other features are at the population's mean."""
FEMALE = 0.42

AVERAGE = np.array([10.0, 12.0, 7.5, 9.5, 9.5])
"""Largest dose, against no second drug, from 70 mmol/mol. Order: GLP-1 agonists first (Tsapas 2020,
Ann Intern Med 173:278; liraglutide > glimepiride > sitagliptin in GRADE, Nathan 2022, NEJM
387:1063); sulfonylureas and pioglitazone 0.8-1.0 % and DPP-4 and SGLT2 inhibitors 0.6-0.9 %
against placebo with metformin (Mearns 2015, PLoS One 10:e0125879). In TriMaster pioglitazone 30,
sitagliptin 100 and canagliflozin 100 mg were equal: 59.6, 60.0, 60.6 mmol/mol (Shields 2023,
Nat Med 29:376); in routine care SGLT2 inhibitors beat DPP-4 inhibitors by 3.2 and sulfonylureas by
2.5 mmol/mol at a year (Bidulka 2024, BMJ 385:e077097). Rounded by us to halves between those."""

HBA1C_SLOPE = np.array([0.32, 0.30, 0.12, 0.22, 0.20])
"""More fall per mmol/mol of HbA1c above 70. Falls grow with the starting value in every class
(DeFronzo 2010, Diabet Med 27:309), most for SGLT2 inhibitors and least for DPP-4 inhibitors
(Dennis 2022, Lancet Digit Health 4:e873; GRADE: sitagliptin least at high HbA1c). Sizes ours, so
that phenotype alone predicts an SGLT2-DPP4 difference with an SD near 3 mmol/mol; Dennis's model
finds four in ten patients with a difference of 5 and more, which needs 3.5 to 5."""
EGFR_SLOPE = np.array([0.09, 0.0, -0.03, 0.0, 0.0])
"""Per mL/min/1.73 m2. TriMaster: eGFR 60-90 against over 90, sitagliptin against canagliflozin,
2.90 mmol/mol (1.19 to 4.61); the strata's means are about 24 apart, so 0.12 between the two.
Three quarters of it given to the SGLT2 inhibitor: empagliflozin's fall shrinks to about half at
eGFR 30-60 (Cherney 2016, Diabetologia 59:1860)."""
BMI_SLOPE = np.array([0.0, 0.0, -0.14, -0.14, 0.17])
"""Per kg/m2. TriMaster: BMI over 30 against 30 and less, pioglitazone against sitagliptin, 2.88
mmol/mol (0.98 to 4.79); means about 9 apart here, so 0.31. Sulfonylureas better in the lean (Dennis
2018, Diabetes Care 41:1844). None for GLP-1 agonists (Cardoso 2024, BMC Med 22:369) or SGLT2."""
FEMALE_SHIFT = np.array([0.0, 1.5, 0.0, -1.8, 1.8])
"""Women against men. Sulfonylureas better in men, thiazolidinediones in women (Dennis 2018: obese
women TZD over SU, lean men SU over TZD in ADOPT and RECORD); GLP-1 better in women (Cardoso 2024).
Sizes our choice within those subgroups' differences."""
FEMALE_BMI_TZD = 0.10
"""Extra BMI slope of thiazolidinediones in women (obese women respond most, Dennis 2018); ours."""
AGE_SLOPE = np.array([-0.02, 0.06, 0.02, 0.0, 0.02])
"""Per year. SGLT2 against DPP-4 differs 5.8 mmol/mol under 50 and 3.1 from 70 (the same CPRD
emulation by age, LSHTM eprint 4676440), nearly all of it through eGFR, which falls 0.85 a year;
GLP-1 agonists better in the older (Cardoso 2024). Sizes ours."""
DURATION_SLOPE = np.array([0.0, -0.18, -0.10, -0.20, 0.0])
"""Per year. Less with longer disease where the drug needs beta cells: GLP-1 agonists (Jones 2016,
Diabetes Care 39:250), DPP-4 (Oh 2013, J Korean Med Sci 28:881), sulfonylureas (UKPDS 16). Ours."""
TRIGLYCERIDE_SLOPE = np.array([0.0, 0.0, -1.0, -0.3, 0.6])
"""Per SD of log triglycerides: insulin resistance weakens DPP-4 inhibitors (Dennis 2018, Diabetes
Care 41:705, obese with high triglycerides against lean with low); sizes ours."""
ALT_SLOPE = np.array([0.8, 0.0, 0.0, 0.0, 0.5])
"""Per SD of log ALT (a predictor of SGLT2 against DPP-4 in Dennis 2022); size ours."""

ACTIVITY_SLOPE = np.array([0.0, 0.4, 0.0, 0.0, 0.3])
DIET_SLOPE = np.array([-0.4, 0.0, 0.7, 0.0, 0.0])
"""Per SD. DPP-4 inhibitors do better with fish and less fat (Iwasaki 2012, J Diabetes Investig
3:464; Kanamori 2013); a carbohydrate-rich diet leaves SGLT2 inhibitors more to excrete: ours.
Activity with GLP-1 agonists (Mensberg 2017, Diabetes Obes Metab 19:172): size ours."""
SMOKING_SHIFT = np.array([0.0, 0.0, 0.0, -0.6, -0.6])
"""Current smokers: insulin resistance and faster hepatic clearance; direction and size ours."""
TRIAL_ADHERENCE = 0.9
INJECTION = 0.9
"""Injections are taken less: daily GLP-1 agonists 10-20 % fewer covered days than tablets
(Nguyen 2017, Diabetes Ther 8:1); my rounding."""
DEPRIVATION_SLOPE = np.array([0.0, -0.3, 0.0, 0.0, 0.0])
"""Per quintile above the third: support for injections is scarcer there; our choice."""

TRAIT_SD = 3.1
"""SD of each patient's lasting extra fall on a class. TriMaster's confidence limits tell the SD of
a patient's difference between two drugs: SE of a contrast of two equal strata = 2 SD / sqrt(n), so
8.1 (eGFR, n=342) and 9.2 mmol/mol (BMI, n=356): a variance of about 75, of which some 10 are
phenotype. A crossover without repeated periods cannot say how much of the rest would come back.
The heritable share of the response to metformin is 34 % (Zhou 2014, Lancet Diabetes Endocrinol
2:481), a lower bound of what lasts: 0.34 x 65 = 22; less 3 for the named variants leaves 19
between two classes, 9.5 a class. That a third lasts is the assumption on which the clinic's
history effect rests; `history_effect` scales it, 0 removes it."""
TRAIT_CORRELATION = np.array(
    [
        [1.0, 0.0, 0.0, 0.0, 0.1],
        [0.0, 1.0, 0.5, 0.4, 0.0],
        [0.0, 0.5, 1.0, 0.4, 0.0],
        [0.0, 0.4, 0.4, 1.0, 0.0],
        [0.1, 0.0, 0.0, 0.0, 1.0],
    ]
)
"""GLP-1 agonists, DPP-4 inhibitors and sulfonylureas all work through the beta cell; our choice."""
LIABILITIES = len(OPTIONS)
PERIOD_SD = 3.5
"""SD of the extra fall in one period on a drug that does not recur in the next; our choice, so
that the difference between two drugs in one patient has TriMaster's SD."""


@dataclass(frozen=True, slots=True, eq=False)
class ResponseFeatures:
    """The features that determine the fall, per decision."""

    hba1c: Float64[np.ndarray, " decision"]
    """On metformin alone."""
    bmi: Float64[np.ndarray, " decision"]
    egfr: Float64[np.ndarray, " decision"]
    age: Float64[np.ndarray, " decision"]
    duration: Float64[np.ndarray, " decision"]
    female: Bool[np.ndarray, " decision"] | Float64[np.ndarray, " decision"]
    triglycerides: Float64[np.ndarray, " decision"]
    alt: Float64[np.ndarray, " decision"]
    genotype_shift: Float64[np.ndarray, "decision treatment"]
    """Extra fall by the genotype, relative to the population mean."""
    activity: Float64[np.ndarray, " decision"]
    diet: Float64[np.ndarray, " decision"]
    smokes: Bool[np.ndarray, " decision"] | Float64[np.ndarray, " decision"]
    adherence: Float64[np.ndarray, " decision"]
    deprivation: Float64[np.ndarray, " decision"]
    trait: Float64[np.ndarray, "decision treatment"]


SOURCES: dict[str, tuple[str, ...]] = {
    "phenotype": ("hba1c", "bmi", "egfr", "age", "duration", "female", "triglycerides", "alt"),
    "genotype": ("genotype_shift",),
    "lifestyle": ("activity", "diet", "smokes", "adherence"),
    "environment": ("deprivation",),
    "history": ("trait",),
}


def full_dose_fall(features: ResponseFeatures) -> Float64[np.ndarray, "decision treatment"]:
    """Expected fall at the largest dose; never below 0."""
    f, reference = features, REFERENCE
    egfr, bmi = np.clip(f.egfr, 15, 120) - reference["egfr"], f.bmi - reference["bmi"]
    woman = f.female - FEMALE
    fall = AVERAGE + f.genotype_shift + f.trait
    fall = fall + np.outer(np.clip(f.hba1c, 45, 120) - reference["hba1c"], HBA1C_SLOPE)
    fall += np.outer(egfr, EGFR_SLOPE) + np.outer(bmi, BMI_SLOPE) + np.outer(woman, FEMALE_SHIFT)
    fall[:, TZD] += FEMALE_BMI_TZD * bmi * woman
    fall += np.outer(f.age - reference["age"], AGE_SLOPE)
    fall += np.outer(f.duration - reference["duration"], DURATION_SLOPE)
    fall += np.outer(f.triglycerides, TRIGLYCERIDE_SLOPE) + np.outer(f.alt, ALT_SLOPE)
    fall += np.outer(f.activity, ACTIVITY_SLOPE) + np.outer(f.diet, DIET_SLOPE)
    fall += np.outer(f.smokes, SMOKING_SHIFT) + np.outer(f.deprivation - 3, DEPRIVATION_SLOPE)
    taken = np.repeat((f.adherence / TRIAL_ADHERENCE)[:, None], len(OPTIONS), axis=1)
    taken[:, GLP1] *= INJECTION
    return np.maximum(fall * taken, 0.0)


def genotype_shift(genotype: Genotype) -> Float64[np.ndarray, "subject treatment"]:
    """Extra fall by the genotype, relative to the population mean."""
    return extra_fall(genotype) - mean_extra_fall()


def hold_at_mean(features: ResponseFeatures, source: str) -> ResponseFeatures:
    """The same patients with one source of variation fixed at its mean."""
    fixed: dict[str, np.ndarray] = {}
    for name in SOURCES[source]:
        column = np.asarray(getattr(features, name), dtype=float)
        fixed[name] = np.broadcast_to(column.mean(axis=0), column.shape).copy()
    return replace(features, **fixed)


def draw_traits(
    draws: Draws, history_effect: float
) -> tuple[Float64[np.ndarray, "subject treatment"], Float64[np.ndarray, "subject treatment"]]:
    """Lasting extra fall (mmol/mol) and lasting tendency to intolerance of each option."""
    normal = np.stack([draws.normal("trait", k) for k in range(LIABILITIES)], axis=1)
    trait = TRAIT_SD * normal @ np.linalg.cholesky(TRAIT_CORRELATION).T
    liability = np.stack([draws.normal("liability", k) for k in range(LIABILITIES)], axis=1)
    return history_effect * trait, history_effect * liability
