"""OMOP concept ids with a fixed meaning, and what they become in our profile of MEDS.

All other concepts are looked up in the vocabulary of the data. `tests/records/sources/omop/
test_concepts.py` compares these with Synthea's OMOP folder, as far as its vocabulary goes.
"""

SEX = {8507: "male", 8532: "female"}
"""Concepts of the OMOP vocabulary Gender (8507 MALE, 8532 FEMALE: ohdsi.github.io/CommonDataModel),
with FHIR's names of administrative gender."""
RACE = {
    8657: "American_Indian_or_Alaska_Native",
    8515: "Asian",
    8516: "Black_or_African_American",
    8557: "Native_Hawaiian_or_Other_Pacific_Islander",
    8527: "White",
}
"""OMOP vocabulary Race, with the names of the US Office of Management and Budget. As in OHDSI's
ETL-Synthea and MIMIC; 8557, which neither has, as in several public ETLs (November 2026)."""
ETHNICITY = {38003563: "Hispanic_or_Latino", 38003564: "Not_Hispanic_or_Latino"}
"""OMOP vocabulary Ethnicity, its own names."""
VISITS = {
    9201: "IMP",  # Inpatient Visit
    262: "IMP",  # Emergency Room and Inpatient Visit
    9202: "AMB",  # Outpatient Visit
    9203: "EMER",  # Emergency Room Visit
    581476: "HH",  # Home Visit
    5083: "VR",  # Telehealth Visit
}
"""OMOP vocabulary Visit (ohdsi.github.io/CommonDataModel, table visit_occurrence), with the codes
of HL7 v3 ActEncounterCode that FHIR uses."""
STAYS = (9201, 262, 32037)
"""Visits whose diagnoses are known when they end: inpatient, from emergency, Intensive Care
(32037, in OHDSI's MIMIC and ETL-LambdaBuilder)."""
DRUG_KINDS = {
    32833: "ordered",  # EHR order
    32838: "ordered",  # EHR prescription
    32839: "ordered",  # EHR prescription issue record
    38000177: "ordered",  # Prescription written
    32825: "dispensed",  # EHR dispensing record
    32869: "dispensed",  # Pharmacy claim
    38000175: "dispensed",  # Prescription dispensed in pharmacy
    38000176: "dispensed",  # Prescription dispensed through mail order
    581452: "dispensed",  # Dispensed in Outpatient office
    32818: "given",  # EHR administration record
    38000179: "given",  # Physician administered drug (identified as procedure)
    38000180: "given",  # Inpatient administration
    32865: "reported",  # Patient self-report
    44787730: "reported",  # Patient Self-Reported Medication
}
"""OMOP vocabulary Type Concept (and Drug Type, before 2020), with its names: the origin of a drug
record. Checked in November 2026 against OHDSI's ETL-LambdaBuilder, ETL-Synthea and MIMIC and the
enumerations of public OMOP models; any other kind is `recorded`."""
OPERATORS = {4171756: "<", 4171754: "<=", 4172704: ">", 4171755: ">="}
"""SNOMED operators in measurement.operator_concept_id (OHDSI's ETL-LambdaBuilder has the same)."""
HOUR = 8505
"""OMOP vocabulary UCUM, `h`: the unit of a release per hour."""
