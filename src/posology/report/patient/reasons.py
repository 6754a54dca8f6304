"""Why the first option rather than another: bars of the contrast, and what would change it."""

from posology.domain.recommendation.recommendation import Recommendation
from posology.domain.recommendation.why import Contrast, ContrastReason
from posology.language.catalogue import tr
from posology.report.patient import words
from posology.report.patient.content import ContrastPart, Group, ReasonRow
from posology.report.patient.marks import two_sided_bar


def contrasts(advice: Recommendation) -> tuple[ContrastPart, ...]:
    """Reasons for the dose, then each contrast that has reasons, those on one scale."""
    shown = [c for c in advice.why.contrasts if c.reasons]
    sizes = [abs(r.contribution) for c in shown for r in c.reasons]
    largest = max(sizes, default=0.0)
    parts = tuple(_part(advice, c, largest, at == 0) for at, c in enumerate(shown))
    return (*_dose_part(advice), *parts)


def _part(
    advice: Recommendation, contrast: Contrast, largest: float, is_first: bool
) -> ContrastPart:
    first, other = words.inside(contrast.first), words.inside(contrast.other)
    heading = tr("Why {first} rather than {other}")
    lead = abs(contrast.difference)
    size = words.value_words(lead, advice.unit)
    unit = advice.unit or tr("of 100")
    leads = tr("{option} leads by {size} {unit}.")
    if not advice.is_ranked:
        heading = tr("What separates {first} from {other}")
        leads = tr("The difference is {size} {unit}.")
    leads = leads.format(option=words.capitalise(first), size=size, unit=unit)
    how = tr(
        "Each line says how much of that would go if one fact were not known. The lines need not "
        "add up."
    )
    return ContrastPart(
        heading.format(first=first, other=other),
        f"{leads} {how}" if is_first else leads,
        (tr("for {option}").format(option=other), tr("for {option}").format(option=first)),
        unit,
        tuple(_row(reason, contrast, largest, advice.unit) for reason in contrast.reasons),
    )


def _dose_part(advice: Recommendation) -> tuple[ContrastPart, ...]:
    """What the study's single dose would be without each fact."""
    dose, found = advice.dose, advice.why.dose
    if dose is None or not found:
        return ()
    largest = max(abs(reason.contribution) for reason in found)
    rows = []
    for reason in found:
        amount = words.signed_words(reason.contribution, dose.unit)
        bar = two_sided_bar(reason.contribution, largest, f"{amount} {dose.unit}")
        rows.append(ReasonRow(*words.after_name(reason.fact, reason.sentence), amount, bar))
    part = ContrastPart(
        tr("Why {dose}").format(dose=words.dose_words(dose)),
        tr(
            "Each line says how much the dose would change if one fact were not known. The lines "
            "need not add up."
        ),
        (tr("for less"), tr("for more")),
        dose.unit,
        tuple(rows),
    )
    return (part,)


def _row(reason: ContrastReason, contrast: Contrast, largest: float, unit: str) -> ReasonRow:
    amount = words.signed_words(reason.contribution, unit)
    side = contrast.first if reason.contribution >= 0 else contrast.other
    title = tr("{amount}, for {option}").format(amount=amount, option=side)
    bar = two_sided_bar(reason.contribution, largest, title)
    return ReasonRow(*words.after_name(reason.fact, reason.sentence), amount, bar)


def groups(advice: Recommendation) -> tuple[Group, ...]:
    """What would change the order, and the short rule with its agreement."""
    found = []
    changes = tuple(words.sentence(c.sentence) for c in advice.why.counterfactuals)
    if changes:
        found.append(Group(tr("What would change the order"), changes))
    rule = advice.why.surrogate
    if rule is not None and rule.lines:
        agrees = words.count_words(100 * rule.fidelity)
        last = tr("This short rule agrees with the model for {count} of 100 patients.")
        last = last.format(count=agrees)
        found.append(
            Group(tr("The model in short"), (*(words.sentence(x) for x in rule.lines), last))
        )
    return tuple(found)
