"""The first screen: who, the answer, its tags, what must be read first, what to go on instead."""

import re
from dataclasses import replace

from posology.advice.amounts import whole_shares
from posology.advice.form.timing import NO_DATE, WITHOUT_DATE
from posology.advice.options import CHANCE, USUAL_DOSE
from posology.advice.prediction import NO_DOSES
from posology.advice.wording.fact_names import fact_name
from posology.advice.wording.lists import both
from posology.domain.recommendation.findings import FORBIDS, WARNING, KnownFact, SafetyFinding
from posology.domain.recommendation.option import (
    NO_CLEAR_DIFFERENCE,
    NOT_ESTIMATED,
    REFERENCE,
    OptionAdvice,
)
from posology.domain.recommendation.recommendation import (
    ABSTAINED,
    ALL_FORBIDDEN,
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
    FACT_MISSING,
    NO_OPTION_BETTER,
    NOT_ELIGIBLE,
    OUTSIDE_TRAINING,
    Recommendation,
)
from posology.language.catalogue import deferred, tr, tr_count
from posology.language.numbers import DAY, number
from posology.report.patient import words
from posology.report.patient.content import GOOD, NOTE, QUIET, STOP, WARN, Callout, Line, Tag
from posology.report.patient.doses import ALWAYS_LISTED
from posology.report.patient.missing import NEEDED, most_helpful
from posology.report.patient.option_rows import is_of_all

IN_BANNER = ("age", "sex", "weight", "height")
"""Facts that help to see whose page this is; the form has no names."""
_MAX_HEAD = 32
_GUIDELINE = deferred("What the guideline says")
_DATE_LAST = re.compile(rf"(?:{DAY})$")
_COUNTED = re.compile(r"[\d.,]+ (?:(?:other|weiteres?) )?(?:events?|Ereignis(?:se)?) ")
"""How remarks begin that count events, in the languages of the catalogue."""


def banner_facts(advice: Recommendation) -> tuple[tuple[str, str], ...]:
    """Label and value of the facts in the banner; age and sex are always there."""
    known = {_name(fact): fact for fact in reversed(advice.known)}
    facts = []
    for name in IN_BANNER:
        fact = known.get(name)
        if fact is None and name in ("age", "sex"):
            facts.append((fact_name(name).capitalize(), tr("not recorded")))
        elif fact is not None:
            facts.append((fact_name(name).capitalize(), _in_banner(fact)))
    return tuple(facts)


def tags(advice: Recommendation) -> tuple[Tag, ...]:
    """The verdict in a few words, and how many similar patients stand behind it."""
    shown: list[Tag] = []
    reference = words.inside(advice.reference)
    better = Tag(tr("Better than {reference}").format(reference=reference), GOOD, "up")
    if advice.state == BETTER_FOR_PATIENT:
        shown += [better, Tag(tr("Better than the next option"), GOOD, "up")]
    elif advice.state == BETTER_THAN_REFERENCE:
        shown += [better, Tag(tr("No clear difference to the next option"), QUIET, "same")]
    elif advice.state == NO_OPTION_BETTER:
        shown.append(_no_option_tag(advice))
    elif advice.state == ALL_FORBIDDEN:
        shown.append(Tag(tr("Every option is forbidden"), STOP, "stop"))
    elif advice.state == NOT_ELIGIBLE:
        shown.append(Tag(tr("Not for this patient"), STOP, "stop"))
    elif advice.state == FACT_MISSING:
        shown.append(Tag(tr("A needed fact is missing"), WARN, "warn"))
    elif advice.state in ABSTAINED:
        shown.append(Tag(tr("No answer"), QUIET, "minus"))
    n = advice.certainty.similar_patients
    if n is not None:
        few = advice.certainty.needed_patients is not None and n < advice.certainty.needed_patients
        count = tr("under 5") if n < 5 else number(f"{n:,}")
        text = tr("{count} similar patients").format(count=count)
        shown.append(Tag(text, WARN if few else QUIET, "warn" if few else ""))
    return tuple(shown)


def _no_option_tag(advice: Recommendation) -> Tag:
    if any(option.standing == NO_CLEAR_DIFFERENCE for option in advice.options):
        return Tag(tr("No clear difference"), QUIET, "same")
    none = tr("None better than {reference}").format(reference=words.inside(advice.reference))
    return Tag(none, QUIET, "minus")


def decision_note(advice: Recommendation) -> str:
    """One line against blind trust, or against leaving a patient without treatment."""
    if advice.state in (BETTER_FOR_PATIENT, BETTER_THAN_REFERENCE, DOSE_ONLY):
        return tr("You may know what the record does not. Check the facts before you agree.")
    return tr(
        "Nothing is advised, so there is nothing to accept. This is not a reason to leave the "
        "patient without treatment."
    )


def callouts(advice: Recommendation) -> tuple[Callout, ...]:
    """What must be read first: what a rule forbids, warnings, then the other remarks."""
    found = [
        Callout(
            tr("Not offered") if finding.kind == FORBIDS else tr("Warning"),
            _finding_words(advice, finding),
            STOP if advice.state == ALL_FORBIDDEN and finding.kind == FORBIDS else WARN,
            "safety",
            tr("Safety"),
        )
        for kind in (FORBIDS, WARNING)
        for finding in advice.safety
        if finding.kind == kind
    ]
    remarks = sorted((_remark(text) for text in advice.callouts), key=lambda c: c.tone == NOTE)
    return (*found, *remarks)


def _finding_words(advice: Recommendation, finding: SafetyFinding) -> str:
    """What was found and what it means; first which options, where it is not all of them."""
    text = f"{words.sentence(finding.finding)} {words.sentence(finding.meaning)}".strip()
    names = {option.title for option in advice.options if option.name not in ALWAYS_LISTED}
    if not finding.options or names <= set(finding.options):
        return text
    concerned = both(finding.options)
    return text if concerned.lower() in text.lower() else f"{words.sentence(concerned)} {text}"


def instead(advice: Recommendation) -> tuple[Line, ...]:
    """Without an answer: what would help most, the guideline, usual care, what is known."""
    if advice.state not in (*ABSTAINED, NO_OPTION_BETTER):
        return ()
    if advice.state == NOT_ELIGIBLE:
        return (Line(tr("What is known"), known_words(advice)),)
    return (
        Line(tr("What would help most"), *_most_helpful(advice)),
        *_guideline(advice),
        Line(tr("What is usually done here"), _usual_care(advice)),
        Line(tr("What is known"), known_words(advice)),
    )


def guideline_and_usual_care(advice: Recommendation) -> tuple[Line, ...]:
    """What to go on where the model may not be: nothing that it worked out is among it."""
    shares = _given_shares(advice)
    before = tr("As before there was this model.")
    usual = Line(tr("What is usually done here"), shares or before)
    return (*_guideline(advice), usual)


def guideline_lines(advice: Recommendation) -> tuple[Line, ...]:
    """Of each rule of the study: what it would do, and its source."""
    return tuple(
        Line(
            words.capitalise(name),
            _source(source),
            words.sentence(option),
        )
        for name, option, source in advice.guideline
    )


def _source(source: str) -> str:
    text = words.sentence(words.with_dates(source))
    return tr("Source: {source}").format(source=text) if source else ""


def known_words(advice: Recommendation) -> str:
    """How many facts were used, and which."""
    used, missing = len(advice.known), len(advice.missing)
    if not used:
        return tr("The facts that were used are not listed.")
    listed = "; ".join(f"{fact_name(fact.fact)} {_dated(fact)}" for fact in advice.known[:12])
    if used > 12:
        listed = tr("{facts}; and {count} more").format(facts=listed, count=used - 12)
    counts = tr_count("{count} fact was used", "{count} facts were used", used).format(count=used)
    left = tr_count("{count} was missing", "{count} were missing", missing).format(count=missing)
    return f"{words.capitalise(listed)}. {'; '.join([counts, *([left] if missing else [])])}."


def _most_helpful(advice: Recommendation) -> tuple[str, str]:
    """Text, and its first words in bold."""
    if advice.state == OUTSIDE_TRAINING:
        help_ = tr("If they are right, no further fact helps.")
        return help_, tr("Check the values named above.")
    fact = most_helpful(advice)
    if fact is not None:
        return words.sentence(fact.would_help) or tr(NEEDED), words.sentence(fact_name(fact.fact))
    if advice.state == FACT_MISSING:  # a fact that is there, but not exact enough
        return tr(NEEDED), tr("The fact named above.")
    if any(fact.would_help for fact in advice.missing):
        return tr("No missing fact would change the answer much."), ""
    if advice.missing:
        names = ", ".join(fact_name(fact.fact) for fact in advice.missing[:3])
        text = tr("Not recorded: {facts}. What they would change was not worked out.")
        return text.format(facts=names), ""
    return tr("No fact that the model asks for is missing."), ""


def _guideline(advice: Recommendation) -> tuple[Line, ...]:
    lines = _guideline_of(advice)
    if advice.guideline and advice.state == OUTSIDE_TRAINING:
        text = tr(
            "Whether it fits a patient like this one was not checked. Look up for whom its source "
            "made it."
        )
        lines += (Line(tr("Before you use a guideline"), text),)
    return lines


def _guideline_of(advice: Recommendation) -> tuple[Line, ...]:
    lines = guideline_lines(advice)
    if not lines:
        return (Line(tr(_GUIDELINE), tr("The study file names no guideline.")),)
    if len(lines) > 1:
        head = tr("Guideline: {name}")
        return tuple(replace(line, label=head.format(name=line.label)) for line in lines)
    return tuple(
        Line(tr(_GUIDELINE), f"{line.label}. {line.text}".strip(), line.strong) for line in lines
    )


def _usual_care(advice: Recommendation) -> str:
    usual = next((o for o in advice.options if o.name == "usual_care"), None)
    remarks = () if usual is None else usual.remarks
    is_of_all = any(text.startswith((tr(CHANCE), tr(USUAL_DOSE))) for text in remarks)
    if usual is not None and remarks and (is_of_all or usual.standing != NOT_ESTIMATED):
        return " ".join(remarks)
    shares = _given_shares(advice)
    if shares:
        return shares
    reference = next((o for o in advice.options if o.standing == REFERENCE), None)
    if reference is not None and reference.outcome is not None:
        return _reference_words(advice, reference)
    no_figure = tr("No figure is known for patients like this one.")
    return f"{words.sentence(advice.reference)} {no_figure}"


def _given_shares(advice: Recommendation) -> str:
    """What patients like this one were given, of 100; empty if that is not known."""
    given = [s for s in advice.why.similar if s.patients]
    if not given:
        return ""
    whole = whole_shares([float(s.patients or 0) for s in given])
    less = tr("under 1")
    shares = [(str(n) if n else less, s.option) for n, s in zip(whole, given, strict=True)]
    parts = "; ".join(f"{words.inside(option)}: {share}" for share, option in shares)
    text = tr("{shares}; of 100 patients like this one whose result is known.")
    if any(s.followed is not None for s in given):
        text = tr("{shares}; of 100 patients like this one.")
    return text.format(shares=words.capitalise(parts))


def _reference_words(advice: Recommendation, option: OptionAdvice) -> str:
    outcome = option.outcome
    assert outcome is not None
    value = words.value_words(outcome.value, advice.unit)
    span = words.interval_words(outcome, advice.unit)
    name = words.capitalise(option.title)
    if advice.unit:
        text = tr("{option}: mean {value} {unit} ({span}).")
    elif is_of_all(option):
        text = tr("{option}: about {value} of 100 patients ({span}) reach the goal.")
    else:
        text = tr("{option}: about {value} of 100 patients like this one ({span}) reach the goal.")
    return text.format(option=name, value=value, unit=advice.unit, span=span)


def _remark(text: str) -> Callout:
    """What was counted, of which day a fact was taken, and what a model never says are notes."""
    if _COUNTED.match(text) or text.startswith((tr(WITHOUT_DATE), tr(NO_DATE), tr(NO_DOSES))):
        return Callout("", text, NOTE)
    head, colon, rest = text.partition(": ")
    if colon and len(head) <= _MAX_HEAD:
        return Callout(head, rest, WARN)
    return Callout("", text, WARN)


def _dated(fact: KnownFact) -> str:
    return f"{fact.value} ({words.date_words(fact.date)})" if fact.date else fact.value


def _in_banner(fact: KnownFact) -> str:
    """The value with its day; from which code of the records it came stands among the facts."""
    value, _, origin = fact.value.partition(f", {tr('from')} ")
    found = _DATE_LAST.search(origin)
    day = found.group() if found else ""
    shown = _dated(KnownFact(fact.fact, value, fact.date))
    return f"{shown} ({day})" if day and not fact.date else shown


def _name(fact: KnownFact) -> str:
    return fact.fact.split(",")[0].strip().lower()
