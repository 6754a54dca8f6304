"""FHIR Observations of genotypes as events (HL7 genomics reporting guide, version 3.0.0)."""

from posology.records.batching import code_part
from posology.records.schema import Event, Rejection
from posology.records.sources.fhir.coding import Context, Json, concept_text, has_code, known_at

_GENOTYPE, _VARIANT = "84413-4", "69548-6"
GENETIC = frozenset({_GENOTYPE, _VARIANT})
"""LOINC codes of the Observations read here: a gene's genotype, and a variant's presence."""
_GENE = frozenset({"48018-6"})  # gene studied
_REFERENCE, _ALTERNATE = frozenset({"69547-8"}), frozenset({"69551-0"})
_STATE = frozenset({"53034-5"})  # allelic state
_DBSNP = frozenset({"81252-9", "81255-2"})  # discrete genetic variant, dbSNP identifier
_HETEROZYGOUS, _HOMOZYGOUS = frozenset({"LA6706-1"}), frozenset({"LA6705-3"})
_ABSENT = frozenset({"LA9634-2"})


def genotype_observation(
    resource: Json, context: Context, events: list[Event], rejections: list[Rejection]
) -> None:
    """`GENOTYPE//gene//diplotype`, or `GENOTYPE//gene_rsid//A/G` for a variant with a dbSNP id."""
    time = known_at(resource, context, "issued", "effectiveDateTime", "effectivePeriod")
    gene = code_part(_text(_component(resource, _GENE)) or "")
    if not has_code(resource["code"], frozenset({_GENOTYPE})):
        rejection = _variant(resource, gene, time, events)
        if rejection is not None:
            rejections.append(rejection)
        return
    value = resource.get("valueCodeableConcept") or {}
    diplotype = parse_diplotype(gene, concept_text(value) or _first_code(value))
    if not gene:
        rejections.append(Rejection("component", "", "no gene studied (LOINC 48018-6)"))
    elif diplotype is None:
        rejections.append(Rejection("valueCodeableConcept", value, "names no diplotype"))
    else:
        events.append(Event(f"GENOTYPE//{gene}//{diplotype}", time))


def parse_diplotype(gene: str, text: str | None) -> str | None:
    """`*1/*2` from "CYP2C19 *1/*2", "CYP2C19*1/*2" or "CYP2D6*7.001 / CYP2D6*1.001"."""
    if not text:
        return None
    alleles = "/".join(part.strip().removeprefix(gene).strip() for part in text.split("/"))
    return code_part(alleles) or None


def _first_code(value: Json) -> str | None:
    return next((c["code"] for c in value.get("coding") or () if c.get("code")), None)


def _variant(resource: Json, gene: str, time: int, events: list[Event]) -> Rejection | None:
    rsid = _rsid(resource)
    if rsid is None:
        return Rejection("component", "", "a variant without a dbSNP id (LOINC 81252-9 or 81255-2)")
    ref, alt = (_text(_component(resource, code)) for code in (_REFERENCE, _ALTERNATE))
    state = _component(resource, _STATE).get("valueCodeableConcept")
    if has_code(resource.get("valueCodeableConcept"), _ABSENT) and ref:
        pair = (ref, ref)
    elif ref and alt and has_code(state, _HETEROZYGOUS):
        pair = (ref, alt)
    elif ref and alt and has_code(state, _HOMOZYGOUS):
        pair = (alt, alt)
    else:
        return Rejection("component", rsid, "reference, alternate or allelic state is missing")
    name = f"{gene}_{rsid}" if gene else rsid
    events.append(Event(f"GENOTYPE//{name}//{'/'.join(sorted(pair))}", time))
    return None


def _rsid(resource: Json) -> str | None:
    for component in resource.get("component") or ():
        if has_code(component.get("code"), _DBSNP):
            for coding in (component.get("valueCodeableConcept") or {}).get("coding") or ():
                if str(coding.get("code")).startswith("rs"):
                    return code_part(coding["code"])
    return None


def _component(resource: Json, codes: frozenset[str]) -> Json:
    return next((c for c in resource.get("component") or () if has_code(c.get("code"), codes)), {})


def _text(component: Json) -> str | None:
    value = component.get("valueCodeableConcept")
    if value is None:
        return component.get("valueString")
    return concept_text(value) or _first_code(value)
