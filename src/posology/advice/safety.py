"""What the safety rules found for one patient, what could not be checked, and what is old."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from posology.advice.safety_words import dose_words, met_words, unknown_words
from posology.advice.wording.lists import both
from posology.domain.recommendation.findings import (
    CLEAR,
    FORBIDS,
    NOT_CHECKED,
    USED_IN_DOSE,
    WARNING,
    SafetyFinding,
)
from posology.domain.safety_rules.check import SafetyCheck, dose_factor
from posology.domain.safety_rules.facts import MET, UNKNOWN, VisibleFacts
from posology.domain.safety_rules.packs import conflicting_rules, is_expired
from posology.domain.safety_rules.rule import (
    BLOCK_UNKNOWN,
    FORBID,
    LIMIT,
    RECOMMEND,
    REFUSE_EXPIRED,
    SafetyRule,
)
from posology.domain.study import Study
from posology.errors import UserError
from posology.language.catalogue import deferred, tr

_ORDER = (FORBIDS, USED_IN_DOSE, WARNING, NOT_CHECKED, CLEAR)
_NO_MEANING = deferred("The study file lists this as a reason against it.")
_BLOCKS = deferred("The study file has it that a rule that cannot be checked counts as met.")
_WARNS = deferred("The study file has it that a rule that cannot be checked forbids nothing.")


@dataclass(frozen=True, slots=True)
class SafetyAnswer:
    """Findings of all rules, the gravest first, and what comes before the answer."""

    findings: tuple[SafetyFinding, ...]
    callouts: tuple[str, ...]


def describe_safety(
    study: Study, facts: VisibleFacts, checked: SafetyCheck, today: datetime.date
) -> SafetyAnswer:
    """The rules applied to the only patient. UserError if a pack is old and the study refuses it.

    facts, checked: of one decision.
    """
    if not checked.rules and not study.safety_packs.packs:
        return SafetyAnswer((), ())
    status = checked.status[0].tolist()
    titles = {t.name: t.title for t in study.formulary.treatments}
    findings: dict[SafetyFinding, None] = {}
    for rule, found in zip(checked.rules, status, strict=True):
        if rule.effect == RECOMMEND or found not in (MET, UNKNOWN):
            continue
        describe = _met if found == MET else _unknown
        for finding in describe(rule, study, facts, checked, titles):
            findings[finding] = None
    met = [rule for rule, found in zip(checked.rules, status, strict=True) if found == MET]
    found_all = [*findings, *_conflicts(met, titles), _summary(checked, tuple(titles.values()))]
    found_all.sort(key=lambda finding: _ORDER.index(finding.kind))
    return SafetyAnswer(tuple(found_all), tuple(_callouts(study, today)))


def remarks_of(title: str, findings: Sequence[SafetyFinding]) -> tuple[str, ...]:
    """Why an option is forbidden: whole sentences."""
    against = [f for f in findings if f.kind == FORBIDS and title in f.options]
    text = tr("Forbidden: {finding}. {meaning} ({source})")
    return tuple(
        text.format(finding=f.finding, meaning=f.meaning, source=f.source) for f in against
    )


def why_all_forbidden(findings: Sequence[SafetyFinding]) -> tuple[str, ...]:
    """Why no option is left: the first two reasons."""
    against = [f for f in findings if f.kind == FORBIDS]
    return tuple(f"{both(f.options)}: {f.finding} ({f.source})." for f in against[:2])


def _met(
    rule: SafetyRule,
    study: Study,
    facts: VisibleFacts,
    checked: SafetyCheck,
    titles: dict[str, str],
) -> list[SafetyFinding]:
    words = met_words(facts, rule, study.names)
    if rule.effect != LIMIT or rule.dose is None:
        kind = FORBIDS if rule.effect == FORBID else WARNING
        return [
            _finding(kind, rule, rule.options, (words, rule.meaning or tr(_NO_MEANING)), titles)
        ]
    left = dose_words(rule.dose, float(dose_factor(facts, rule)[0]))
    names = study.formulary.names
    emptied = tuple(o for o in rule.options if checked.forbidden[0, names.index(o)])
    others = tuple(o for o in rule.options if o not in emptied)
    nothing = f"{rule.meaning} {tr('No dose of the study is {limits}.').format(limits=left)}"
    limited = f"{rule.meaning} {tr('Dose {limits}.').format(limits=left)}"
    parts = ((FORBIDS, emptied, nothing), (USED_IN_DOSE, others, limited))
    return [_finding(k, rule, own, (words, meaning), titles) for k, own, meaning in parts if own]


def _unknown(
    rule: SafetyRule,
    study: Study,
    facts: VisibleFacts,
    checked: SafetyCheck,
    titles: dict[str, str],
) -> list[SafetyFinding]:
    words = unknown_words(facts, rule, study.names)
    blocks = study.safety_packs.on_unknown == BLOCK_UNKNOWN and rule.effect in (FORBID, LIMIT)
    meaning = rule.meaning or tr(_NO_MEANING)
    if not blocks:
        what = (words, f"{meaning} {tr(_WARNS)}")
        return [_finding(NOT_CHECKED, rule, rule.options, what, titles)]
    names = study.formulary.names
    forbidden = tuple(o for o in rule.options if checked.forbidden[0, names.index(o)])
    limited = tuple(o for o in rule.options if o not in forbidden)
    what = (words, f"{meaning} {tr(_BLOCKS)}")
    parts = ((FORBIDS, forbidden), (USED_IN_DOSE, limited))
    return [_finding(kind, rule, own, what, titles) for kind, own in parts if own]


def _finding(
    kind: str,
    rule: SafetyRule,
    options: tuple[str, ...],
    words: tuple[str, str],
    titles: dict[str, str],
) -> SafetyFinding:
    version = f"{rule.pack} {rule.version}".strip()
    shown = tuple(titles[option] for option in options)
    return SafetyFinding(kind, shown, *words, rule.strength, rule.source, version)


def _summary(checked: SafetyCheck, titles: tuple[str, ...]) -> SafetyFinding:
    """How many rules were checked, and how many could not be. A rule counts once."""
    names: dict[tuple[str, str], bool] = {}
    for rule, found in zip(checked.rules, checked.status[0].tolist(), strict=True):
        if rule.effect != RECOMMEND:
            key = (rule.pack, rule.name)
            names[key] = names.get(key, False) or found == UNKNOWN
    unknown = sum(names.values())
    finding = tr("{count} of {all} safety rules were checked").format(
        count=len(names) - unknown, all=len(names)
    )
    meaning = tr("All facts that they need are recorded.")
    if unknown:
        meaning = tr(
            "{count} could not be checked: facts that they need are not recorded, or too old."
        ).format(count=unknown)
    return SafetyFinding(CLEAR, titles, finding, meaning, "", "")


def _conflicts(met: Sequence[SafetyRule], titles: dict[str, str]) -> list[SafetyFinding]:
    findings = []
    for first, second in conflicting_rules(met):
        both = tuple(titles[o] for o in first.options if o in second.options)
        meaning = tr("Two rules limit its dose differently. Both limits are kept.")
        if first.effect == FORBID:
            meaning = tr(
                "One rule forbids it and another one recommends it. It stays forbidden here."
            )
        findings.append(
            SafetyFinding(
                kind=WARNING,
                options=both,
                finding=tr("Rules disagree: {first} and {second}").format(
                    first=first.name, second=second.name
                ),
                meaning=f"{meaning} {first.meaning} {second.meaning}".strip(),
                strength="",
                source=f"{first.source}; {second.source}",
                version=f"{first.pack} {first.version}; {second.pack} {second.version}",
            )
        )
    return findings


def _callouts(study: Study, today: datetime.date) -> list[str]:
    """Packs that are old, and packs that nobody reviewed."""
    sentences = []
    for pack in study.safety_packs.packs:
        names = {"pack": pack.title, "version": pack.version, "date": pack.date}
        if is_expired(pack, today):
            if study.safety_packs.on_expired == REFUSE_EXPIRED:
                raise UserError(
                    f"study {study.name}: safety pack {pack.name} {pack.version} expired on "
                    f'{pack.expires}, and `on_expired` is "refuse": no answer is given. Fit the '
                    "study again with a current pack."
                )
            old = tr(
                "The safety rules “{pack}” (version {version} of {date}) were current until "
                "{expires}. Labels may have changed since."
            )
            sentences.append(old.format(**names, expires=pack.expires))
        if not pack.reviewed_by:
            nobody = tr(
                "The safety rules “{pack}” (version {version} of {date}) were reviewed by nobody."
            )
            sentences.append(nobody.format(**names))
    return sentences
