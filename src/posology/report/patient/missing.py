"""Facts that were missing: the one that helps most is the same on every part of a page."""

from posology.advice.why.missing import NO_CHANGE
from posology.advice.wording.fact_names import fact_name
from posology.advice.wording.titles import small_first
from posology.domain.recommendation.findings import MissingFact
from posology.domain.recommendation.recommendation import Recommendation
from posology.language.catalogue import deferred, tr
from posology.report.patient import words
from posology.report.patient.content import WARN, MissingRow, Tag

NEEDED = deferred("There is no answer without it.")
_ORDER_OF_HELP = deferred(
    "First comes what would change the answer most, on average over the values that earlier "
    "patients had: a common value counts for more than a rare one, which may change more."
)


def most_helpful(advice: Recommendation) -> MissingFact | None:
    """The fact that stops the answer; else the first that would change it. They are in order."""
    needed = (fact for fact in advice.missing if fact.is_required)
    helpful = (
        fact
        for fact in advice.missing
        if fact.would_help and not fact.would_help.startswith(tr(NO_CHANGE))
    )
    return next(needed, None) or next(helpful, None)


def missing_rows(advice: Recommendation) -> tuple[MissingRow, ...]:
    """The facts that would help, the most helpful first; those alike in one row."""
    needed, other = Tag(tr("Needed"), WARN, "warn"), Tag(tr("Not recorded"), "", "minus")
    is_same = bool(_assumed_note(advice))
    alike: dict[tuple[bool, str, str], list[str]] = {}
    for fact in advice.missing:
        if fact.is_required or fact.would_help:
            key = (fact.is_required, "" if is_same else fact.assumed, fact.would_help)
            alike.setdefault(key, []).append(fact.fact)
    first = most_helpful(advice)
    return tuple(
        MissingRow(
            needed if key[0] else other,
            words.capitalise(", ".join(fact_name(name) for name in names)),
            words.capitalise(key[1]),
            _of_several(words.sentence(key[2]), len(names)) or tr(NEEDED),
            first is not None and first.fact in names,
        )
        for key, names in alike.items()
    )


def _of_several(sentence: str, facts: int) -> str:
    """What would help, of several facts of which each alone would do the same."""
    if facts == 1:
        return sentence
    alone = sentence.replace(tr("If it were known,"), tr("If one of them were known,"))
    return alone.replace(tr(NO_CHANGE), tr("Whatever their values,"))


def missing_rest(advice: Recommendation) -> str:
    """The facts of which nobody knows what they would change; none whose parts are listed."""
    every = [f.fact for f in advice.missing]
    names = [f.fact for f in advice.missing if not (f.is_required or f.would_help)]
    names = [n for n in names if not any(other.startswith(f"{n} ") for other in every)]
    if not names:
        return ""
    has_rows = any(fact.is_required or fact.would_help for fact in advice.missing)
    text = tr("Not recorded: {facts}. What it would change was not worked out.")
    if has_rows:
        text = tr("Also not recorded: {facts}. What it would change was not worked out.")
    return text.format(facts=", ".join(fact_name(name) for name in names))


def missing_note(advice: Recommendation) -> str:
    """What was assumed, where it is the same for several facts, and what their order means."""
    helpful = sum(bool(fact.would_help) for fact in advice.missing)
    order = tr(_ORDER_OF_HELP) if helpful > 1 else ""
    return f"{_assumed_note(advice)} {order}".strip()


def _assumed_note(advice: Recommendation) -> str:
    assumed = {fact.assumed for fact in advice.missing}
    if len(advice.missing) < 2 or len(assumed) != 1 or not (text := assumed.pop()):
        return ""
    if text.startswith(tr("Nothing:")):
        return tr("Nothing was assumed in their place: the model also learned from such patients.")
    assumed_text = tr("Assumed in place of each: {value}.")
    return assumed_text.format(value=small_first(words.without_stop(text)))
