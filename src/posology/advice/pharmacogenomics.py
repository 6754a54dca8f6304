"""What a patient's genes mean for a study's options, as findings of safety."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from posology.advice.wording.fact_names import fact_name
from posology.advice.wording.lists import either_of
from posology.domain.codes import display_name, has_prefix
from posology.domain.formulary import Formulary, Treatment
from posology.domain.history import History
from posology.domain.pharmacogenomics.guidance import (
    STANDARD,
    UNCERTAIN,
    DrugGuidance,
    Guidance,
    find_guidance,
)
from posology.domain.pharmacogenomics.phenotypes import GeneResult
from posology.domain.pharmacogenomics.tables import PgxTables
from posology.domain.profile import Profile
from posology.domain.recommendation.findings import (
    CLEAR,
    FORBIDS,
    NOT_CHECKED,
    USED_IN_DOSE,
    WARNING,
    SafetyFinding,
)
from posology.domain.study import Study
from posology.language.catalogue import deferred, tr

GENE_FAMILIES = ("GENOTYPE", "PHENOTYPE", "ACTIVITY_SCORE")
"""Families of events of genes (docs/meds-profile.md)."""
_DRUG_FAMILIES = ("DRUG", "DRUG_PER_DAY", "DRUG_RATE")
_RXNORM = "RXNORM"
_NO_RULES = deferred(
    "Pharmacogenomics was not checked: the folder of tables has no recommendations "
    "(*recommendation*.json of CPIC, or prescribing_guidance.json of PharmCAT)."
)


@dataclass(frozen=True, slots=True)
class PgxFindings:
    """Findings of the guidelines, and the options that they forbid."""

    findings: tuple[SafetyFinding, ...] = ()
    forbidden: tuple[str, ...] = ()
    """Names of options."""
    callouts: tuple[str, ...] = ()
    """That a table is old: whole sentences."""


def find_pgx(
    study: Study,
    tables: PgxTables,
    results: Mapping[str, GeneResult],
    today: date,
    population: str = "",
) -> PgxFindings:
    """What the guidelines say of the drugs that the study's options are."""
    if not tables.guidance:
        return PgxFindings(callouts=(tr(_NO_RULES),))
    by_drug: dict[str, list[Treatment]] = {}
    for treatment in study.formulary.treatments:
        for drug in option_drugs(treatment, study.formulary, tables.guidance):
            by_drug.setdefault(drug, []).append(treatment)
    if not by_drug:
        return PgxFindings((_no_drug(study, tables),))
    findings: list[SafetyFinding] = []
    forbidden: dict[str, None] = {}
    for found in find_guidance(tables.guidance, results, by_drug, population):
        options = by_drug[found.drug]
        version = next(v for v in tables.versions if v.content == "recommendations")
        dated = "" if version.made is None else f" ({version.made.isoformat()[:7]})"
        titles = tuple(treatment.title for treatment in options)
        findings += _findings(found, results, titles, f"{version.version}{dated}")
        if found.forbids:
            forbidden |= dict.fromkeys(treatment.name for treatment in options)
    old = [v.describe(today) for v in tables.versions if v.entries and v.is_stale(today)]
    text = tr("Tables of pharmacogenomics are old: {tables}.")
    callouts = (text.format(tables="; ".join(old)),) if old else ()
    return PgxFindings(tuple(findings), tuple(forbidden), callouts)


def _no_drug(study: Study, tables: PgxTables) -> SafetyFinding:
    drugs = len({rule.drug for rule in tables.guidance})
    return SafetyFinding(
        NOT_CHECKED,
        tuple(treatment.title for treatment in study.formulary.treatments),
        tr("No option is one of the {count} drugs of the pharmacogenomic table").format(
            count=drugs
        ),
        tr("Options are compared by RxNorm ingredient and by name."),
        "",
        tables.guidance[0].version,
    )


def used_genes(study: Study, profile: Profile, history: History) -> tuple[SafetyFinding, ...]:
    """The genes of the patient that the model learned from."""
    codes = [profile.codes[index] for index in dict.fromkeys(history.code.tolist())]
    used = [code for code in codes if any(has_prefix(code, family) for family in GENE_FAMILIES)]
    if not used:
        return ()
    names = "; ".join(sorted(fact_name(display_name(code, study.names)) for code in used))
    titles = tuple(treatment.title for treatment in study.formulary.treatments)
    meaning = tr("The model learned from such results, and its prediction takes them into account.")
    if study.dose is not None:
        meaning = tr("The model learned from such results, and its dose takes them into account.")
    return (SafetyFinding(USED_IN_DOSE, titles, names, meaning, "", tr("This model")),)


def option_drugs(
    treatment: Treatment, formulary: Formulary, rules: Sequence[Guidance]
) -> tuple[str, ...]:
    """Drugs of the guidelines that an option is or contains: by RxNorm ingredient or by name."""
    by_name = {t.name: t for t in formulary.treatments}
    parts = [by_name[name] for name in treatment.together] or [treatment]
    codes, names = set(), {_plain(part.name) for part in parts}
    for part in parts:
        for code in part.codes:
            family, *rest = code.split("//")
            if family in _DRUG_FAMILIES and rest:
                names.add(_plain(rest[-1]))
                codes |= {rest[-1]} if rest[0].upper() == _RXNORM else set()
    return tuple(
        dict.fromkeys(x.drug for x in rules if x.rxnorm in codes or _plain(x.drug) in names)
    )


def _findings(
    found: DrugGuidance,
    results: Mapping[str, GeneResult],
    options: tuple[str, ...],
    version: str,
) -> list[SafetyFinding]:
    """One finding of what is known, and one of what is not."""
    known = [gene for gene in found.genes if gene not in found.unknown]
    named = "; ".join(_describe(results[gene]) for gene in known)
    source = found.guideline
    if found.matched and found.matched[0].citation:
        source = f"{found.guideline}; {found.matched[0].citation}"
    findings = []
    kind = _kind(found)
    open_genes = [gene for gene in known if results[gene].open_phenotypes]
    if known and not (kind == CLEAR and open_genes):
        strength = found.matched[0].strength.lower() if found.matched else ""
        meaning = _meaning(found.matched) or tr("The table has no recommendation for this result.")
        findings.append(SafetyFinding(kind, options, named, meaning, strength, source, version))
    for gene in open_genes:
        others = either_of([_words(x) for x in results[gene].open_phenotypes])
        text = tr("{result}, but {others} is not excluded").format(
            result=_describe(results[gene]), others=others
        )
        meaning = tr("Positions of the gene are missing; ask for a laboratory's result.")
        findings.append(SafetyFinding(NOT_CHECKED, options, text, meaning, "", source, version))
    if found.unknown:
        text = tr("{genes} not known").format(genes=", ".join(found.unknown))
        meaning = tr("The guideline for {drug} depends on it.").format(drug=found.drug)
        findings.append(SafetyFinding(NOT_CHECKED, options, text, meaning, "", source, version))
    return findings


def _kind(found: DrugGuidance) -> str:
    if found.forbids:
        return FORBIDS
    effects = {rule.effect for rule in found.matched}
    if effects == {STANDARD}:
        return CLEAR
    return NOT_CHECKED if effects <= {STANDARD, UNCERTAIN} else WARNING


def _meaning(rules: Sequence[Guidance]) -> str:
    """The recommendations' own words, each with the patients that it is for."""
    groups: dict[str, list[str]] = {}
    for rule in rules:
        who = groups.setdefault(rule.text.rstrip("."), [])
        if not rule.population.endswith("general") and rule.population not in who:
            who.append(rule.population)
    named = tr("For {patients}: {text}")
    sentences = [
        named.format(patients=", ".join(who), text=text) if who else text
        for text, who in groups.items()
    ]
    return f"{'. '.join(sentences)}." if sentences else ""


def _describe(result: GeneResult) -> str:
    """`CYP2C19 *1/*2, intermediate metabolizer`, or all that it may be."""
    shown = [
        ", ".join(
            part for part in (x.diplotype, _words(x.phenotype), _score(x.activity_score)) if part
        )
        for x in result.interpretations
    ]
    return f"{result.gene} {either_of(list(dict.fromkeys(shown)))}"


def _words(phenotype: str) -> str:
    """As within a sentence: `poor metabolizer`, `-1639 AG`."""
    words = phenotype.replace("_", " ")
    return re.sub(r"\b[A-Z][a-z]+\b", lambda found: found[0].lower(), words)


def _score(score: str) -> str:
    return tr("activity score {score}").format(score=score) if score else ""


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", " ")
