"""Add what a patient's genes mean to the inputs of a recommendation."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from posology.advice.form.moments import is_date
from posology.advice.form.values import NO_WORDS, NOT_KNOWN_WORDS, YES_WORDS
from posology.advice.inputs import AdviceInputs
from posology.advice.pharmacogenomics import GENE_FAMILIES, find_pgx, used_genes
from posology.artifact import Artifact
from posology.domain.codes import display_name
from posology.domain.history import History
from posology.domain.pharmacogenomics.patient import assess_genes
from posology.domain.pharmacogenomics.phenotypes import ReportedGene, number_text
from posology.domain.pharmacogenomics.spec import PgxSpec
from posology.domain.pharmacogenomics.tables import PgxTables
from posology.errors import UserError
from posology.language.catalogue import deferred, tr
from posology.records.sources.genomics.outside_calls import read_outside_calls
from posology.records.sources.genomics.pgx_tables import read_pgx_tables
from posology.workflows.patient import Patient, read_given

_GENOTYPE, _PHENOTYPE, _SCORE = GENE_FAMILIES
_NOT_THERE = deferred(
    "Pharmacogenomics was not checked: the folder of tables that the study file names is not there."
)


@dataclass(frozen=True, slots=True)
class PgxOptions:
    """Where the tables are, and what else is known of the patient's genes."""

    tables: str | Path | PgxTables | None = None
    """None: the folder that the study file names."""
    calls: str | Path | None = None
    """A laboratory's results: tab-separated gene, diplotype, phenotype, activity score."""
    population: str = ""
    """Of the guidelines, such as `CVI ACS PCI`; empty for all."""


def add_genes(
    inputs: AdviceInputs,
    model: Artifact,
    patient: Patient,
    history: History,
    options: PgxOptions | None,
) -> AdviceInputs:
    """The inputs with findings of pharmacogenomics; without tables only the genes that are used."""
    used = used_genes(model.study, model.policy.profile, history)
    spec = model.study.pharmacogenomics
    options = options or (None if spec is None else PgxOptions())
    if options is None:
        return replace(inputs, safety=(*inputs.safety, *used))
    read = _tables(options, spec)
    if read is None:
        kept = (*inputs.callouts, tr(_NOT_THERE))
        return replace(inputs, safety=(*inputs.safety, *used), callouts=kept)
    population = options.population or ("" if spec is None else spec.population)
    codes = [model.policy.profile.codes[index] for index in history.code.tolist()]
    reports = {report.gene: report for report in reported_genes(patient, codes, inputs.time)}
    unread: tuple[str, ...] = ()
    if options.calls is not None:
        calls = {report.gene: report for report in read_outside_calls(options.calls)}
        unread = not_in_the_answer(calls.values(), reports, model.policy.profile.codes)
        reports |= calls
    results = assess_genes(read, {}, reports.values())
    today = datetime.now(UTC).date()
    found = find_pgx(model.study, read, results, today, population)
    names = [
        display_name(f"{family}//{gene}", model.study.names)
        for family in GENE_FAMILIES
        for gene in results
    ]
    return replace(
        inputs,
        safety=(*inputs.safety, *found.findings, *used),
        forbidden=(*inputs.forbidden, *found.forbidden),
        callouts=(
            *unread,
            *(_read_here(text, names) for text in inputs.callouts),
            *found.callouts,
        ),
    )


def _tables(options: PgxOptions, spec: PgxSpec | None) -> PgxTables | None:
    """The tables of the options, else those of the study; None where the study's are gone."""
    if isinstance(options.tables, PgxTables):
        return options.tables
    if options.tables is not None:
        return _read_tables(Path(options.tables))
    if spec is None:
        raise UserError(
            "--pgx-calls and --pgx-population need the tables that say what the results mean: "
            "--pgx-tables FOLDER, or `tables` of [pharmacogenomics] in the study file"
        )
    folder = Path(spec.tables)
    return _read_tables(folder) if folder.is_dir() else None


def _read_tables(folder: Path) -> PgxTables:
    """Read again only if a file changed: a folder takes longer to read than an answer may."""
    files = sorted(folder.rglob("*.json"))
    stamps = [(file, file.stat()) for file in files]
    return _read_stamped(folder, tuple((f, s.st_mtime_ns, s.st_size) for f, s in stamps))


@lru_cache(maxsize=2)
def _read_stamped(folder: Path, _: tuple[tuple[Path, int, int], ...]) -> PgxTables:
    return read_pgx_tables(folder)


def not_in_the_answer(
    calls: Iterable[ReportedGene], reports: Mapping[str, ReportedGene], codes: Sequence[str]
) -> tuple[str, ...]:
    """Results of the laboratory's file that the model would use, but reads from the patient's file.

    Args:
        reports: what the patient's file says of each gene.
        codes: the model's.
    """
    remarks = []
    for call in calls:
        is_used = any(code.startswith(f"{_GENOTYPE}//{call.gene}//") for code in codes)
        own = reports[call.gene].diplotype if call.gene in reports else ""
        if not is_used or not call.diplotype or _alleles(own) == _alleles(call.diplotype):
            continue
        text = tr(
            "{result} of the laboratory's file is not used by the model: the patient's file does "
            "not hold it. Enter it there."
        )
        if own:
            text = tr(
                "{result} of the laboratory's file is not used by the model: the patient's file "
                "says {own}. Enter it there."
            )
        remarks.append(text.format(result=f"{call.gene} {call.diplotype}", own=own))
    return tuple(remarks)


def _alleles(diplotype: str) -> list[str]:
    return sorted(diplotype.split("/"))


def _read_here(callout: str, names: Sequence[str]) -> str:
    """A remark that the model does not use a gene's result, with who does."""
    start = tr("Given but not used: {fact}")
    is_gene = any(callout.startswith(start.format(fact=name)) for name in names)
    return f"{callout} {tr('The guidelines of pharmacogenomics do.')}" if is_gene else callout


def reported_genes(
    patient: Patient, codes: Sequence[str] = (), until: str = ""
) -> tuple[ReportedGene, ...]:
    """Diplotypes, phenotypes and activity scores of a patient, the latest of each.

    Args:
        codes: of the events that the model uses, in order of time; the patient's file counts first.
        until: date of the decision, ISO 8601; what became known on a later day is not visible.
    """
    given = read_given(patient)
    known: list[tuple[str, str, object]] = [("", code, None) for code in codes]
    if isinstance(given, dict):
        events: list[tuple[str, str, object]] = [
            (str(event.get("time") or ""), str(event.get("code") or ""), event.get("value"))
            for event in given.get("events") or ()
            if isinstance(event, dict)
        ]
        facts = given.get("facts", given)
        events += [("", *pair) for pair in _facts(facts if isinstance(facts, dict) else {})]
    else:
        events = _rows(given[0])
    visible = [event for event in events if not until or event[0][:10] <= until[:10]]
    return _latest([*known, *sorted(visible, key=lambda event: event[0])])


def _facts(facts: dict[str, object]) -> Iterable[tuple[str, object]]:
    """Codes of genes among a form's fields: the code as the key, or the code with its choice."""
    for key, value in facts.items():
        code = key.rpartition("[")[2].rstrip("]") if key.endswith("]") else key
        if not code.startswith(tuple(f"{family}//" for family in GENE_FAMILIES)):
            continue
        for one in value if isinstance(value, list) else [value]:
            yield from _fact(
                code, one["value"] if isinstance(one, dict) and "value" in one else one
            )


def _fact(code: str, value: object) -> Iterable[tuple[str, object]]:
    """One value; none where it says no, or that the fact is not known."""
    word = value.strip().casefold() if isinstance(value, str) else ""
    if value is None or value is False or word in NO_WORDS | NOT_KNOWN_WORDS:
        return
    is_answer = not isinstance(value, str) or word in YES_WORDS or is_date(value)
    yield (code, value) if is_answer or code.startswith(_SCORE) else (f"{code}//{value}", None)


def _score(value: object) -> str:
    """An activity score as the tables write it, such as `0.0` or `≥3.0`; empty where it is none."""
    if isinstance(value, str):
        return number_text(value.replace(",", ".")) if re.search(r"\d", value) else ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return str(float(value)) if math.isfinite(value) else ""


def _rows(table: pa.Table) -> list[tuple[str, str, object]]:
    names = [name for name in ("time", "code", "numeric_value") if name in table.column_names]
    rows = table.select(names).to_pylist()
    return [(str(x.get("time") or ""), str(x["code"]), x.get("numeric_value")) for x in rows]


def _add_phenotype(report: ReportedGene, text: str) -> str:
    """The latest phenotype; of HLA the latest of each allele (`*57:01 positive`)."""
    if not report.gene.startswith("HLA-"):
        return text
    allele = text.partition(" ")[0]
    others = [x for x in report.phenotype.split("; ") if x and x.partition(" ")[0] != allele]
    return "; ".join([*others, text])


def _latest(events: Iterable[tuple[str, str, object]]) -> tuple[ReportedGene, ...]:
    genes: dict[str, ReportedGene] = {}
    for _, code, value in events:
        family, _, rest = code.partition("//")
        gene, _, text = rest.partition("//")
        if family not in GENE_FAMILIES or not gene or "_rs" in gene:
            continue
        report = genes.get(gene, ReportedGene(gene))
        if family == _GENOTYPE and text:
            report = replace(report, diplotype=text)
        elif family == _PHENOTYPE and text:
            report = replace(report, phenotype=_add_phenotype(report, text.replace("_", " ")))
        elif family == _SCORE and _score(value):
            report = replace(report, activity_score=_score(value))
        genes[gene] = report
    return tuple(x for x in genes.values() if x.diplotype or x.phenotype or x.activity_score)
