"""Published dosing formulas, coefficient by coefficient."""

from posology.domain.formulas.formula import Formula, Term

_IWPC = (
    "International Warfarin Pharmacogenetics Consortium, N Engl J Med 2009;360:753-764, "
    "doi:10.1056/NEJMoa0809329, supplementary appendix, section "
)
_INDUCERS = ("DRUG//carbamazepine//yes", "DRUG//phenytoin//yes", "DRUG//rifampicin//yes")
_VKORC1 = "GENOTYPE//VKORC1_rs9923231"
_CYP2C9 = "GENOTYPE//CYP2C9"

_RACES = ("Asian", "Black", "White")
"""Races with a term, or in the constant: who has none on record is of missing or mixed race."""

_BODY = ("AGE_DECADE", "HEIGHT", "WEIGHT")


def _body(decades: float, height: float, weight: float) -> tuple[Term, ...]:
    """Age in decades (1 for 10-19 up to 9 for 90 and over), height in cm, weight in kg."""
    coefficients = (decades, height, weight)
    return tuple(
        Term(code.lower(), "value", (code,), c) for code, c in zip(_BODY, coefficients, strict=True)
    )


def _race(asian: float, black: float, unknown: float) -> tuple[Term, ...]:
    return (
        Term("asian", "any", ("RACE//Asian",), asian),
        Term("black", "any", ("RACE//Black",), black),
        Term("missing or mixed race", "none", tuple(f"RACE//{race}" for race in _RACES), unknown),
    )


def _medicines(inducer: float, amiodarone: float) -> tuple[Term, ...]:
    return (
        Term("enzyme inducer", "any", _INDUCERS, inducer),
        Term("amiodarone", "any", ("DRUG//amiodarone//yes",), amiodarone),
    )


IWPC_CLINICAL = Formula(
    name="iwpc_clinical",
    source=_IWPC + "S1f",
    unit="mg/wk",
    link="sqrt",
    terms=(
        Term("constant", "one", (), 4.0376),
        *_body(-0.2546, 0.0118, 0.0134),
        *_race(-0.6752, 0.4060, 0.0443),
        *_medicines(1.2799, -0.5695),
    ),
)

IWPC_PHARMACOGENETIC = Formula(
    name="iwpc_pharmacogenetic",
    source=_IWPC + "S1e",
    unit="mg/wk",
    link="sqrt",
    terms=(
        Term("constant", "one", (), 5.6044),
        *_body(-0.2614, 0.0087, 0.0128),
        Term("VKORC1 A/G", "any", (f"{_VKORC1}//A/G",), -0.8677),
        Term("VKORC1 A/A", "any", (f"{_VKORC1}//A/A",), -1.6974),
        Term("VKORC1 unknown", "none", (_VKORC1,), -0.4854),
        Term("CYP2C9 *1/*2", "any", (f"{_CYP2C9}//*1/*2",), -0.5211),
        Term("CYP2C9 *1/*3", "any", (f"{_CYP2C9}//*1/*3",), -0.9357),
        Term("CYP2C9 *2/*2", "any", (f"{_CYP2C9}//*2/*2",), -1.0616),
        Term("CYP2C9 *2/*3", "any", (f"{_CYP2C9}//*2/*3",), -1.9206),
        Term("CYP2C9 *3/*3", "any", (f"{_CYP2C9}//*3/*3",), -2.3312),
        Term("CYP2C9 unknown", "none", (_CYP2C9,), -0.2188),
        *_race(-0.1092, -0.2760, -0.1032),
        *_medicines(1.1816, -0.5503),
    ),
)

FORMULAS = {formula.name: formula for formula in (IWPC_CLINICAL, IWPC_PHARMACOGENETIC)}
