"""What a model needs from a record, as FHIR queries: the prefetch templates of its services.

They are derived from the codes that the model, its safety rules and its study read, so a record
system sends what is used and nothing else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from posology.advice.form.field import Form
from posology.domain.codes import has_prefix
from posology.domain.study import Study
from posology.language.catalogue import deferred
from posology.records.sources.fhir.coding import SYSTEMS
from posology.records.sources.fhir.genotypes import GENETIC

PATIENT = "patient"
_TOKEN = "{{context.patientId}}"
_LONGEST = 1_500
"""Characters of one search; longer lists of codes become several. Our choice: many servers take
addresses of 2,000."""
_OF_PATIENT = ("SEX", "RACE", "ETHNICITY", "MEDS_BIRTH", "MEDS_DEATH")
_NUMBERS = ("MEASUREMENT", "OBSERVATION")
_DRUGS = ("DRUG", "DRUG_PER_DAY", "DRUG_RATE")
_ORDERS = {
    "ordered": ("medicationRequests", "MedicationRequest", deferred("medicines ordered")),
    "given": (
        "medicationAdministrations",
        "MedicationAdministration",
        deferred("medicines given"),
    ),
    "reported": ("medicationStatements", "MedicationStatement", deferred("medicines reported")),
    "dispensed": ("medicationDispenses", "MedicationDispense", deferred("medicines dispensed")),
}
"""Key, resource type and words of each end of a drug's code."""
_PRESENCE = {
    "CONDITION": ("conditions", "Condition", deferred("problems and diagnoses")),
    "PROCEDURE": ("procedures", "Procedure", deferred("procedures")),
    "ALLERGY": ("allergies", "AllergyIntolerance", deferred("allergies")),
    "IMMUNIZATION": ("immunizations", "Immunization", deferred("immunizations")),
    "FAMILY_HISTORY": ("familyHistory", "FamilyMemberHistory", deferred("family history")),
    "VISIT": ("encounters", "Encounter", deferred("visits")),
}
"""Key, resource type and words of each family in which absence is a fact."""


@dataclass(frozen=True, slots=True)
class Query:
    """One prefetch template."""

    key: str
    template: str
    kind: str
    """FHIR type of what it returns: the resource itself, or of the entries of a searchset."""
    words: str
    """What it returns, for people: `laboratory results and vital signs`."""
    is_needed: bool
    """Whether nothing can be judged without it. So where absence is a fact: a list of problems
    that was not sent is not an empty list."""

    def address(self, patient: str) -> str:
        """The query for this patient, relative to the base address of a FHIR server."""
        return quote(self.template.replace(_TOKEN, patient), safe="/?&=,:")


def make_queries(
    study: Study, form: Form, systems: Mapping[str, str], page_size: int
) -> tuple[Query, ...]:
    """The queries of a model. Codes of systems without a known address are left out."""
    needed = _needed_codes(study)
    codes = sorted({*form.codes, *form.safety, *needed})
    helpful = [c for spec in form.standard if spec.fact in form.codes for c in spec.codes]
    known = _addresses() | dict(systems)
    found = [
        Query(PATIENT, f"Patient/{_TOKEN}", "Patient", deferred("the patient"), is_needed=True)
    ]
    coded = [code for code in codes if code in needed or _is_coded(code, known)]
    lists = _presence_queries(coded, page_size) + _drug_queries(coded, study, page_size)
    keys = {query.key for query in lists}
    others = _presence_queries(helpful, page_size) + _drugs_of(helpful, page_size)
    found += lists
    found += [replace(query, is_needed=False) for query in others if query.key not in keys]
    found += _observation_queries(sorted({*codes, *helpful}), needed, known, page_size)
    return tuple(found)


def _addresses() -> dict[str, str]:
    """The address of each code system by its name: the first, which is HL7's canonical one."""
    found: dict[str, str] = {}
    for address, name in SYSTEMS.items():
        found.setdefault(name, address)
    return found


def _needed_codes(study: Study) -> frozenset[str]:
    """Codes without which it is not known whether the study is about this patient."""
    decision, required = study.decision, study.profile.required_for_advice
    ranges = [*decision.ranges, *(r for rule in study.safety for r in rule.ranges)]
    return frozenset(
        {
            *required,
            *(c for s in study.profile.standard if _is_of(s.fact, required) for c in s.codes),
            *decision.eligible,
            *decision.excluded,
            *(code for one in ranges for code in one.codes),
            *(code for rule in study.safety for code in rule.visible),
        }
    )


def _is_coded(code: str, known: Mapping[str, str]) -> bool:
    """Whether a record system can send it: its code system has an address."""
    parts = code.split("//")
    return len(parts) > 1 and parts[1] in known


def _is_of(fact: str, required: Sequence[str]) -> bool:
    return any(has_prefix(fact, code) or has_prefix(code, fact) for code in required)


def _family(code: str) -> str:
    return code.partition("//")[0]


def _presence_queries(codes: Iterable[str], page_size: int) -> list[Query]:
    families = {_family(code) for code in codes}
    return [
        Query(key, _search(kind, page_size), kind, words, is_needed=True)
        for family, (key, kind, words) in _PRESENCE.items()
        if family in families
    ]


def _drug_queries(codes: Iterable[str], study: Study, page_size: int) -> list[Query]:
    given = [code for option in study.formulary.treatments for code in option.codes]
    return _drugs_of((*codes, *given), page_size)


def _drugs_of(codes: Iterable[str], page_size: int) -> list[Query]:
    """Queries of medicines; of any order where codes do not say which."""
    drugs = [code for code in codes if _family(code) in _DRUGS]
    if not drugs:
        return []
    ends = {code.rpartition("//")[2] for code in drugs} & _ORDERS.keys()
    return [
        Query(key, _search(kind, page_size), kind, words, is_needed=True)
        for end, (key, kind, words) in _ORDERS.items()
        if end in (ends or {"ordered"})
    ]


def _observation_queries(
    codes: Iterable[str], needed: frozenset[str], known: Mapping[str, str], page_size: int
) -> list[Query]:
    """Searches for results by their codes; those needed to judge apart from those that help."""
    needed_tokens: dict[str, None] = {}
    helpful: dict[str, None] = {}
    for code in codes:
        for token in _tokens(code, known):
            (needed_tokens if code in needed else helpful)[token] = None
    helpful = {token: None for token in helpful if token not in needed_tokens}
    words = deferred("laboratory results and other observations")
    parts = (("observationsNeeded", needed_tokens, True), ("observations", helpful, False))
    found = []
    for name, tokens, is_needed in parts:
        for number, chunk in enumerate(_chunks(list(tokens)), start=1):
            key = name if number == 1 else f"{name}{number}"
            template = f"{_search('Observation', page_size, sort='-date')}&code={','.join(chunk)}"
            found.append(Query(key, template, "Observation", words, is_needed))
    return found


def _tokens(code: str, known: Mapping[str, str]) -> list[str]:
    family, *rest = code.split("//")
    if family == "GENOTYPE":
        return [f"http://loinc.org|{code}" for code in sorted(GENETIC)]
    if family not in _NUMBERS or len(rest) < 2 or rest[0] not in known:
        return []
    return [f"{known[rest[0]]}|{rest[1]}"]


def _chunks(tokens: list[str]) -> list[list[str]]:
    chunks: list[list[str]] = []
    size = _LONGEST
    for token in tokens:
        if size + len(token) + 1 > _LONGEST:
            chunks.append([])
            size = 0
        chunks[-1].append(token)
        size += len(token) + 1
    return chunks


def _search(kind: str, page_size: int, sort: str = "") -> str:
    order = f"&_sort={sort}" if sort else ""
    return f"{kind}?patient={_TOKEN}&_count={page_size}{order}"
