"""The events of the clinic's records: their codes, and the log that collects them.

Codes are in the vocabularies hospitals use. The OMOP and FHIR folders hold the vocabulary's own
codes. MEDS holds what posology's ingest makes of either: the kind of fact, the vocabulary, the
code, then its qualifier, as in `MEASUREMENT//LOINC//59261-8` or
`DRUG_PER_DAY//RXNORM//593411//ordered`. Facts without a public code have the vocabulary CLINIC.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int16, Int64

from posology.simulators.clinic.genome import VARIANTS
from posology.simulators.clinic.options import METFORMIN, OPTIONS

SYSTEMS = {
    "LOINC": "http://loinc.org",
    "SNOMED": "http://snomed.info/sct",
    "RxNorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "SNP": "http://www.ncbi.nlm.nih.gov/projects/SNP",
    "CLINIC": "urn:posology:clinic",
}
"""FHIR's URI of each vocabulary."""


@dataclass(frozen=True, slots=True)
class Code:
    """One thing that can be recorded."""

    name: str
    """Name in the simulator."""
    vocabulary: str
    code: str
    title: str
    domain: str
    """OMOP's: Measurement, Observation, Condition, Procedure, Drug, Visit, Gender; or Meta."""
    unit: str = ""
    """UCUM unit of its value."""
    decimals: int = 0
    answer: str = ""
    """SNOMED code of the answer, where the code is a question without a numeric answer."""

    @property
    def meds(self) -> str:
        """The code in MEDS."""
        qualified = f"{self.vocabulary.upper()}//{self.code}"
        match self.domain:
            case "Meta":
                return self.code
            case "Gender":
                return f"SEX//{self.name}"
            case "Visit":
                return "VISIT//AMB//start"
            case "Drug":
                return f"DRUG_PER_DAY//{qualified}//ordered"
        answer = f"//SNOMED//{self.answer}" if self.answer else ""
        return f"{self.domain.upper()}//{qualified}{answer}"

    @property
    def second_event(self) -> str:
        """Code of the second event, without a value, of the same record; empty where none."""
        if self.domain == "Visit":
            return "VISIT//AMB//end"
        qualified = f"{self.vocabulary.upper()}//{self.code}"
        return f"DRUG//{qualified}//ordered" if self.domain == "Drug" else ""


def _measurement(name: str, code: str, title: str, unit: str, decimals: int = 0) -> Code:
    return Code(name, "LOINC", code, title, "Measurement", unit, decimals)


def _condition(name: str, code: str, title: str) -> Code:
    return Code(name, "SNOMED", code, title, "Condition")


def _smoking(name: str, answer: str, title: str) -> Code:
    return Code(name, "LOINC", "72166-2", title, "Observation", answer=answer)


CODES: tuple[Code, ...] = (
    Code("birth", "", "MEDS_BIRTH", "Birth", "Meta"),
    Code("death", "", "MEDS_DEATH", "Death", "Meta"),
    Code("female", "Gender", "F", "Female", "Gender"),
    Code("male", "Gender", "M", "Male", "Gender"),
    Code("visit", "Visit", "OP", "Outpatient visit", "Visit"),
    # 4548-4 is the same test in per cent; 59261-8 is IFCC's mmol/mol, the unit of the goals here.
    _measurement("hba1c", "59261-8", "Hemoglobin A1c (IFCC)", "mmol/mol"),
    _measurement("weight", "29463-7", "Body weight", "kg", 1),
    _measurement("height", "8302-2", "Body height", "cm"),
    _measurement("bmi", "39156-5", "Body mass index", "kg/m2", 1),
    _measurement("systolic", "8480-6", "Systolic blood pressure", "mm[Hg]"),
    _measurement("egfr", "98979-8", "eGFR (CKD-EPI 2021)", "mL/min/{1.73_m2}"),
    _measurement("cholesterol", "14647-2", "Cholesterol", "mmol/L", 1),
    _measurement("hdl", "14646-4", "HDL cholesterol", "mmol/L", 1),
    _measurement("triglycerides", "14927-8", "Triglycerides", "mmol/L", 1),
    _measurement("alt", "1742-6", "Alanine aminotransferase", "U/L"),
    _measurement("steps", "41950-7", "Steps in 24 hours", "{steps}/d"),
    _measurement("sensor_glucose", "97507-8", "Average glucose, sensor", "mg/dL"),
    _condition("diabetes", "44054006", "Type 2 diabetes mellitus"),
    _condition("hypertension", "38341003", "Hypertension"),
    _condition("vascular", "53741008", "Coronary arteriosclerosis"),
    _condition("heart_failure", "84114007", "Heart failure"),
    _condition("fracture", "125605004", "Fracture of bone"),
    _condition("hypoglycaemia", "302866003", "Hypoglycemia"),
    _condition("genital_infection", "78048006", "Candidiasis"),
    _condition("intolerance", "62014003", "Adverse reaction caused by drug"),
    Code("review", "SNOMED", "394725008", "Diabetes medication review", "Procedure"),
    _smoking("never_smoker", "266919005", "Never smoked tobacco"),
    _smoking("former_smoker", "8517006", "Ex-smoker"),
    _smoking("smoker", "77176002", "Smoker"),
    Code("alcohol", "SNOMED", "228958009", "Alcohol units per week", "Observation", "{units}/wk"),
    Code("activity", "LOINC", "89555-7", "Days a week of physical activity", "Observation", "d/wk"),
    Code("diet", "CLINIC", "diet_score", "Diet quality, 0-10", "Observation", "{score}"),
    Code("adherence", "CLINIC", "adherence_score", "Adherence, 0-8", "Observation", "{score}"),
    Code("covered", "CLINIC", "days_covered", "Days covered by refills", "Observation", "%"),
    Code("deprivation", "CLINIC", "deprivation", "Area deprivation", "Observation", "{score}"),
    Code("site", "CLINIC", "site", "Practice", "Observation", "{number}"),
    Code("metformin", "RxNorm", METFORMIN[1], METFORMIN[0], "Drug", "mg/d"),
    Code("insulin", "RxNorm", "274783", "insulin glargine", "Drug", "[iU]/d"),
    *(Code(o.name, "RxNorm", o.rxnorm, o.ingredient, "Drug", "mg/d", 1) for o in OPTIONS),
    *(
        Code(
            v.rsid,
            "SNP",
            v.rsid,
            f"{v.gene} {v.rsid}: copies of {v.alt}",
            "Measurement",
            "{copies}",
        )
        for v in VARIANTS
    ),
)
ROW = {code.name: row for row, code in enumerate(CODES)}
SMOKING = ("never_smoker", "former_smoker", "smoker")


STATIC = np.iinfo(np.int64).min
"""The minute of an event without a time."""
MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events in order of subject, time and code."""

    subject_id: Int64[np.ndarray, " event"]
    minute: Int64[np.ndarray, " event"]
    """Since 1970-01-01T00:00 UTC; STATIC without a time."""
    code: Int16[np.ndarray, " event"]
    """Row of CODES."""
    value: Float32[np.ndarray, " event"]
    """NaN without a value."""
    quarter: Int16[np.ndarray, " event"]
    """Quarter of the visit at which it was recorded, -1 outside a visit."""


@dataclass(frozen=True, slots=True, eq=False)
class EventLog:
    """A collection of events in any order."""

    parts: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def add(
        self,
        name: str,
        subject_id: np.ndarray,
        minute: np.ndarray,
        value: np.ndarray | None = None,
        quarter: int = -1,
    ) -> None:
        """Add one event of the named code per subject; NaN values are not recorded."""
        code = CODES[ROW[name]]
        if value is None:
            value = np.full(len(subject_id), np.nan)
        else:
            recorded = ~np.isnan(value)
            subject_id, minute = subject_id[recorded], minute[recorded]
            value = value[recorded]
            value = np.round(value, code.decimals)
        n = len(subject_id)
        self.parts.append(
            (
                subject_id,
                minute.astype(np.int64),
                np.full(n, ROW[name], np.int16),
                value.astype(np.float32),
                np.full(n, quarter, np.int16),
            )
        )

    def events(self) -> Events:
        """All events, in order of subject, time and code."""
        columns = [np.concatenate(column) for column in zip(*self.parts, strict=True)]
        order = np.lexsort((columns[2], columns[1], columns[0]))
        return Events(*(column[order] for column in columns))
