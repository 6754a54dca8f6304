"""The words of the verdict: a headline, and notes on what it rests on."""

from dataclasses import dataclass

from posology.evaluation.effects.judged_options import NO_OTHER, NO_OVERLAP, TOO_FEW
from posology.evaluation.effects.overlap import Counts, Overlap
from posology.evaluation.effects.reference import ReferenceComparison, ReferenceContrast
from posology.evaluation.effects.restricted_rule import (
    MIN_DIFFERING_PATIENTS,
    DifferentlyTreated,
)
from posology.evaluation.intervals import Difference, decimals_of_width


@dataclass(frozen=True, slots=True)
class Unit:
    """Unit of the outcome's differences: written as the difference times `factor`, then `name`."""

    name: str = ""
    factor: float = 1.0


PLAIN = Unit()
"""The outcome's own unit, without a name."""


@dataclass(frozen=True, slots=True, eq=False)
class VerdictFacts:
    """What the sentences of a rule that can be judged state."""

    unit: Unit
    overlap: Overlap
    gain: Difference
    """Over the best single option."""
    best_single: str
    """Its name, with the others where it differs between patients."""
    reference: str
    compared: ReferenceComparison
    """Options and rule against the reference."""
    differing: DifferentlyTreated
    """From the best single option."""
    restricted: Counts
    """For whom the rule would have chosen an option that cannot be judged."""
    is_reference_stated: bool
    """Whether enough would be treated differently than by the reference."""


def describe_gain(facts: VerdictFacts) -> tuple[str, tuple[str, ...]]:
    """Headline and notes where personalising is shown to gain."""
    gain = f"personalising gains {_amount(facts.gain, facts.unit)}"
    over = _amount(facts.compared.rule, facts.unit)
    reference = f"over {facts.reference}, the reference, the rule gains {over}"
    if not facts.is_reference_stated:
        reference = f"too few would be treated differently than by {facts.reference}, the reference"
    elif facts.compared.rule.low <= 0:
        reference = f"no gain over {facts.reference}, the reference, is shown: {over}"
    headline = f"{gain} over the best single option, {facts.best_single}"
    return headline, (reference, *_notes(facts))


def describe_loss(facts: VerdictFacts) -> tuple[str, tuple[str, ...]]:
    """Headline and notes where the rule is shown to be worse than the reference."""
    loss = _amount(facts.compared.rule, facts.unit)
    headline = f"the rule is worse than {facts.reference}, the reference: {loss}"
    return headline, _notes(facts)


def describe_no_gain(facts: VerdictFacts) -> tuple[str, tuple[str, ...]]:
    """Headline and notes where personalising is not shown to gain."""
    personal = "personalising is not shown to gain"
    if facts.differing.patients and not facts.differing.is_enough:
        personal = f"{describe_too_few(facts.differing)} to tell whether personalising gains"
    option, notes = describe_options(facts.reference, facts.compared.contrasts, facts.unit)
    if option:
        return f"{personal}: {option}", (*notes, *_notes(facts))
    if facts.compared.options_differ or _differing(facts.compared.contrasts):
        headline = f"no option for all is shown to be better than {facts.reference}, and {personal}"
    else:
        headline = f"no difference between the options is shown, and {personal}"
    return headline, (*notes, *_notes(facts))


def describe_too_few(differing: DifferentlyTreated) -> str:
    """How few would be treated differently, or were given either option."""
    count = f"{differing.patients} patient{'' if differing.patients == 1 else 's'}"
    if differing.patients >= MIN_DIFFERING_PATIENTS:
        either = " and ".join(f"{size:,.0f}" for size in differing.effective)
        count += f", effective sample sizes with either option {either}"
    return f"too few would be treated differently ({count})"


def describe_options(
    reference: str, contrasts: tuple[ReferenceContrast, ...], unit: Unit
) -> tuple[str, tuple[str, ...]]:
    """The option to use for all, empty if none is shown to be better; and notes on the others."""
    better = [c for c in contrasts if c.effect.low > 0]
    worse = [c for c in contrasts if c.effect.high < 0]
    notes = []
    if worse:
        notes.append(f"shown to be worse than {reference}: {_amounts(worse, unit)}")
    if not better:
        return "", tuple(notes)
    best = max(better, key=lambda c: c.effect.value)
    others = [c for c in better if c is not best]
    if others:
        notes.insert(0, f"also better than {reference}: {_amounts(others, unit)}")
    amount = _amount(best.effect, unit)
    return f"use {best.option} for all, better than {reference} by {amount}", tuple(notes)


def describe_unjudged(overlap: Overlap) -> str:
    """The options that cannot be judged and why, such as `no overlap for old; too few ...`."""
    groups = []
    for reason in (NO_OVERLAP, TOO_FEW):
        named = [o.name for o in overlap.options if o.reason == reason]
        given = [f"{o.name} ({o.patients:,})" for o in overlap.options if o.reason == reason]
        if named:
            names = ", ".join(given if reason == TOO_FEW else named)
            groups.append(f"{reason} {'given' if reason == TOO_FEW else 'for'} {names}")
    if not groups and any(o.reason == NO_OTHER for o in overlap.options):
        groups.append("no two options can be compared")
    return "; ".join(groups)


def unjudged_note(overlap: Overlap) -> tuple[str, ...]:
    """A sentence on the options that cannot be judged; empty if all can."""
    without = describe_unjudged(overlap)
    if not without or not overlap.judged:
        return ()
    return (f"not judged: {without}",)


def missing_control_note(control: int | None, overlap: Overlap) -> tuple[str, ...]:
    """A sentence on a control that cannot be judged; empty if it can, or if there is none."""
    if control is None or overlap.options[control].is_judged:
        return ()
    return (f"{overlap.options[control].name}, the study's reference, cannot be judged",)


def population_note(overlap: Overlap) -> tuple[str, ...]:
    """For whom the verdict holds; empty if hardly anyone is excluded."""
    if not overlap.excludes_many:
        return ()
    total, included = overlap.total, overlap.included
    share = f"{100 * included.decisions / total.decisions:.0f} %"
    every = "every option" if len(overlap.judged) == len(overlap.options) else "every judged option"
    if total.decisions == total.patients:
        whom = f"{share} of patients ({included.patients:,} of {total.patients:,}) for whom"
    else:
        whom = (
            f"{share} of decisions ({included.decisions:,} of {total.decisions:,}, of "
            f"{included.patients:,} of {total.patients:,} patients) at which"
        )
    return (
        f"this holds for the {whom} {every} had a chance of at least 5 %, the others cannot be "
        "judged",
    )


def _notes(facts: VerdictFacts) -> tuple[str, ...]:
    notes = [*population_note(facts.overlap), *unjudged_note(facts.overlap)]
    counts, total = facts.restricted, facts.overlap.included
    if counts.decisions:
        whom = f"{counts.patients:,} of {total.patients:,} patients"
        if total.decisions > total.patients:
            whom = f"{counts.decisions:,} of {total.decisions:,} decisions ({whom})"
        notes.append(f"for {whom} the rule would have chosen an option that cannot be judged")
    return tuple(notes)


def _differing(contrasts: tuple[ReferenceContrast, ...]) -> bool:
    return any(c.effect.low > 0 or c.effect.high < 0 for c in contrasts)


def _amounts(contrasts: list[ReferenceContrast], unit: Unit) -> str:
    """Each option with its difference; the unit once, at the end."""
    units = [Unit("", unit.factor)] * (len(contrasts) - 1) + [unit]
    pairs = zip(contrasts, units, strict=True)
    return "; ".join(f"{c.option} {_amount(c.effect, each)}" for c, each in pairs)


def _amount(difference: Difference, unit: Unit) -> str:
    value, low, high = (
        unit.factor * x for x in (difference.value, difference.low, difference.high)
    )
    digits = max(decimals_of_width(high - low), int(unit.factor == 100))  # as in the tables
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f}) {unit.name}".strip()
