"""Genes, recommendations and versions of tables as text of 80 columns."""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from posology.domain.pharmacogenomics.guidance import STANDARD, DrugGuidance, Guidance
from posology.domain.pharmacogenomics.phenotypes import GeneResult
from posology.domain.pharmacogenomics.tables import TableVersion

WIDTH = 80
POPULATIONS = (
    ("CVI", "cardiovascular indication"),
    ("NVI", "neurovascular indication"),
    ("ACS", "acute coronary syndrome"),
    ("PCI", "percutaneous coronary intervention"),
)
"""Short names that CPIC's guideline for clopidogrel has for patients (Lee et al. 2022,
doi:10.1002/cpt.2526)."""
_LISTED = 6
"""Names in a line before the rest is counted; our choice. JSON has all."""


def pgx_lines(
    title: str,
    results: Mapping[str, GeneResult],
    guidance: Sequence[DrugGuidance],
    versions: Sequence[TableVersion],
    today: date,
) -> list[str]:
    """The whole answer for one patient, every line at most 80 columns."""
    lines = _wrap(title)
    lines += _version_lines(versions, today)
    for result in results.values():
        lines += ["", *_gene_lines(result)]
    has_rules = any(v.content == "recommendations" and v.entries for v in versions)
    nothing = ["No recommendations: the folder has no table of them."]
    lines += ["", *(_guidance_lines(guidance, results) if has_rules else nothing)]
    return [*lines, *_meanings("\n".join(lines))]


def _meanings(text: str) -> list[str]:
    """What the short names of guidelines' patients in the text mean."""
    words = set(re.findall(r"[A-Z]{3,}", text))
    used = [f"{short}: {meaning}" for short, meaning in POPULATIONS if short in words]
    return ["", *_wrap(f"{'; '.join(used)}.")] if used else []


def _version_lines(versions: Sequence[TableVersion], today: date) -> list[str]:
    lines = []
    for version in versions:
        if version.entries:
            warning = " - check for a newer one" if version.is_stale(today) else ""
            lines += _wrap(f"Table of {version.describe(today)}{warning}", "  ")
        else:
            lines += _wrap(f"No table of {version.content} in the folder", "  ")
    return lines


def _gene_lines(result: GeneResult) -> list[str]:
    call = result.call
    source = "laboratory" if call is None else "variants"
    lines = _wrap(f"{result.gene} ({source})")
    if not result.interpretations:
        lines += _wrap("not called", "  ")
    for shown in result.interpretations:
        parts = [shown.diplotype, shown.phenotype or "no phenotype"]
        if shown.activity_score:
            parts.append(f"activity score {shown.activity_score}")
        lines += _wrap("  ".join(part for part in parts if part), "  ")
    if len(result.phenotypes) > 1:
        lines += _wrap("The data do not decide between these: the most cautious counts.", "  ")
    if call is not None:
        lines += _call_lines(call.components, call.others, call.not_excluded, call.missing)
        if result.open_phenotypes:
            lines += _wrap(f"Not excluded: {', '.join(result.open_phenotypes)}.", "  ")
    for note in result.notes:
        lines += _wrap(note, "  ")
    return lines


def _call_lines(
    components: Sequence[str],
    others: Sequence[str],
    not_excluded: Sequence[str],
    missing: Sequence[str],
) -> list[str]:
    lines = []
    if components:
        lines += _wrap(f"Found on strands that are not known: {_list(components)}.", "  ")
    if others:
        lines += _wrap(f"Fits too, less specific: {_list(others)}.", "  ")
    if missing:
        noun = "position" if len(missing) == 1 else "positions"
        lines += _wrap(f"{len(missing)} {noun} missing: {_list(missing)}.", "  ")
    if not_excluded:
        lines += _wrap(f"Alleles that may hide there: {_list(not_excluded)}.", "  ")
    return lines


def _guidance_lines(
    guidance: Sequence[DrugGuidance], results: Mapping[str, GeneResult]
) -> list[str]:
    if not guidance:
        return ["No recommendation concerns these genes."]
    lines = ["Recommendations"]
    plain = []
    for found in guidance:
        if found.matched and all(rule.effect == STANDARD for rule in found.matched):
            doubts = [*_open_genes(found, results), *(f"{x} not known" for x in found.unknown)]
            plain.append(f"{found.drug} ({', '.join(doubts)})" if doubts else found.drug)
        elif found.matched or not set(found.unknown) & set(found.genes):
            lines += _drug_lines(found, results)
        else:
            unknown = ", ".join(found.unknown)
            lines += _wrap(f"{found.drug}: not judged, {unknown} not known", "", "  ")
    if plain:
        lines += _wrap(f"No change of dose or drug: {', '.join(dict.fromkeys(plain))}.", "", "  ")
    return lines


def _drug_lines(found: DrugGuidance, results: Mapping[str, GeneResult]) -> list[str]:
    known = [
        f"{gene} {' or '.join(_result_names(results[gene])) or 'unknown'}"
        for gene in found.genes
        if gene in results
    ]
    lines = _wrap(f"{found.drug} ({'; '.join(known) or 'nothing known'})")
    if not found.matched:
        lines += _wrap("The table has no recommendation for this result.", "  ")
    for rule, populations in _group_populations(found.matched):
        who = f" [{'; '.join(populations)}]" if populations else ""
        sign = "AVOID" if rule.forbids else rule.strength or "not graded"
        lines += _wrap(f"{sign}{who}: {rule.text}", "  ", "    ")
    if len({rule.keys for rule in found.matched}) > 1:
        lines += _wrap("The most cautious stands first and counts.", "  ")
    for text in _open_genes(found, results):
        lines += _wrap(f"{text}: see the gene above.", "  ")
    if found.unknown:
        lines += _wrap(f"Not known: {', '.join(found.unknown)}.", "  ")
    if found.matched:
        rule = found.matched[0]
        lines += _wrap(f"Source: {rule.guideline}, {rule.version}; {rule.citation}", "  ", "    ")
    return lines


def _open_genes(found: DrugGuidance, results: Mapping[str, GeneResult]) -> list[str]:
    """Genes whose variants admit another phenotype as well."""
    return [
        f"{gene} not settled"
        for gene in found.genes
        if gene in results and results[gene].open_phenotypes
    ]


def _result_names(result: GeneResult) -> tuple[str, ...]:
    """Phenotypes, else lookup keys, else diplotypes (HLA)."""
    named = result.phenotypes or result.lookup_keys
    return named or tuple(x.diplotype for x in result.interpretations if x.diplotype)


def _group_populations(rules: Iterable[Guidance]) -> list[tuple[Guidance, list[str]]]:
    """Equal recommendations once, with the populations that they are for."""
    groups: dict[tuple[object, ...], tuple[Guidance, list[str]]] = {}
    for rule in rules:
        group = groups.setdefault((rule.keys, rule.text, rule.strength), (rule, []))
        if not rule.population.endswith("general"):
            group[1].append(rule.population)
    return list(groups.values())


def _list(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def _wrap(text: str, indent: str = "", further: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if further is None else further,
        break_on_hyphens=False,
    )
