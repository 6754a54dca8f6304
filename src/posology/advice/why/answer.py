"""Add the reasons to an answer, as far as the evidence lets any matter."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from posology.advice.why.evidence import WhyEvidence
from posology.advice.why.explain import (
    NOTHING_EXPLAINED,
    Explanation,
    attention_by_step,
    explain_options,
    explain_single_dose,
)
from posology.advice.why.facts import PRESENCE, Fact, latest_events
from posology.advice.why.missing import MissingHelp
from posology.advice.why.values import OptionValues
from posology.domain.history import History, code_finder
from posology.domain.policy import Policy
from posology.domain.recommendation.findings import MissingFact
from posology.domain.recommendation.recommendation import (
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
    NOT_ELIGIBLE,
    Recommendation,
)
from posology.domain.recommendation.why import Why
from posology.domain.study import Study
from posology.language.catalogue import deferred, tr

NOTHING_ASSUMED = deferred("Nothing: the model also learned from patients without it.")
SHOWN_BETTER = (BETTER_FOR_PATIENT, BETTER_THAN_REFERENCE)
"""States in which something is shown better for this patient, and so has reasons."""
_USUAL = 0.5
"""Share of the training patients who had a fact from which its lack is named. Our choice."""


def add_reasons(
    advice: Recommendation,
    policy: Policy,
    history: History,
    known: WhyEvidence,
    values: tuple[OptionValues, int] | None,
) -> Recommendation:
    """The answer with its reasons, and with what missing facts could change, most helpful first.

    Where no option is shown better, differences are noise, and so are reasons for them: only a dose
    has reasons then.

    Args:
        values: what the answer compares the options by, and the column of the reference; None where
            it compares nothing.
    """
    found = _explain(advice, policy, history, known, values)
    attention = attention_by_step(policy, history)
    why = replace(found.why, similar=advice.why.similar, attention=attention)
    return replace(advice, why=why, missing=_with_help(advice.missing, found.missing))


def _explain(
    advice: Recommendation,
    policy: Policy,
    history: History,
    known: WhyEvidence,
    values: tuple[OptionValues, int] | None,
) -> Explanation:
    if advice.state == DOSE_ONLY:
        supported = None if advice.dose is None else advice.dose.supported
        return explain_single_dose(policy, history, known, supported)
    if values is None or advice.state not in SHOWN_BETTER or not advice.options:
        return NOTHING_EXPLAINED
    found = explain_options(values[0], policy.profile, history, known, values[1])
    firsts = {contrast.first for contrast in found.why.contrasts}
    if firsts != {advice.options[0].title}:
        return Explanation(Why(), found.missing)  # reasons for another option than the one shown
    return found


def _with_help(
    missing: tuple[MissingFact, ...], helps: tuple[MissingHelp, ...]
) -> tuple[MissingFact, ...]:
    """The facts with what they could change; the order of `helps`, then the others as they were.

    A fact that would change something is added where the list has only its family.
    """
    place_of = _places(missing, helps)
    facts = [
        replace(missing[place_of[at]], would_help=found.sentence)
        if at in place_of
        else MissingFact(found.fact, tr(NOTHING_ASSUMED), found.sentence)
        for at, found in enumerate(helps)
        if at in place_of or found.change > 0
    ]
    helped = set(place_of.values())
    facts += [fact for place, fact in enumerate(missing) if place not in helped]
    return tuple(sorted(facts, key=lambda fact: not fact.is_required))


def _places(missing: tuple[MissingFact, ...], helps: tuple[MissingHelp, ...]) -> dict[int, int]:
    """Of each help its place among the missing facts: the same name, else the only one like it."""
    names = [fact.fact for fact in missing]
    found = {at: names.index(help_.fact) for at, help_ in enumerate(helps) if help_.fact in names}
    taken = {names[place] for place in found.values()}
    alike: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        if name not in taken:
            alike[_short(name)].append(place)
    wanted = Counter(_short(h.fact) for at, h in enumerate(helps) if at not in found)
    for at, help_ in enumerate(helps):
        places = alike[_short(help_.fact)]
        if at not in found and len(places) == 1 and wanted[_short(help_.fact)] == 1:
            found[at] = places[0]
    return found


def with_unrecorded(
    advice: Recommendation, study: Study, patient: tuple[Policy, History], facts: Sequence[Fact]
) -> Recommendation:
    """The answer with every usual fact that is not recorded, where no reasons name those that help.

    Of a family of many facts, such as `BASELINE`, the list has nothing if one of them is recorded.
    """
    if advice.state in (*SHOWN_BETTER, DOSE_ONLY, NOT_ELIGIBLE):
        return advice
    listed = {fact.fact for fact in advice.missing}
    found = tuple(
        MissingFact(name, tr(NOTHING_ASSUMED), "")
        for name in _unrecorded(study, *patient, facts)
        if not {name, _short(name)} & listed
    )
    return replace(advice, missing=(*advice.missing, *found))


def _unrecorded(
    study: Study, policy: Policy, history: History, facts: Sequence[Fact]
) -> Iterator[str]:
    decision = history.step_offsets[1:2] - 1
    is_present = code_finder(history, decision)
    families = [policy.profile.rows((family,)) for family in study.profile.families]
    begun = frozenset[int]().union(*(rows for rows in families if is_present(rows)[0]))
    latest = latest_events(facts, policy.profile, history, decision)[0]
    for fact, event in zip(facts, latest, strict=True):
        is_usual = fact.kind != PRESENCE and fact.known >= _USUAL and not fact.is_treatment
        if is_usual and event < 0 and begun & set(fact.rows):
            yield fact.name


def _short(name: str) -> str:
    """A name without the unit that may follow it: `height, cm`."""
    return name.partition(", ")[0]
