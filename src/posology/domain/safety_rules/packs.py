"""Whether knowledge packs are current, and where they contradict one another."""

import datetime
from collections.abc import Iterator, Sequence
from itertools import combinations

from posology.domain.safety_rules.rule import FORBID, LIMIT, RECOMMEND, SafetyPack, SafetyRule


def is_expired(pack: SafetyPack, today: datetime.date) -> bool:
    """Whether the last day on which the pack is current has passed."""
    return datetime.date.fromisoformat(pack.expires) < today


def conflicting_rules(rules: Sequence[SafetyRule]) -> Iterator[tuple[SafetyRule, SafetyRule]]:
    """Pairs of rules that say different things of the same option; the one that forbids first.

    One forbids what the other recommends, or both limit its dose, and differently. Of rules that
    apply to one patient each such pair is a conflict; of others it may be.
    """
    for first, second in combinations(rules, 2):
        if not set(first.options) & set(second.options):
            continue
        effects = {first.effect, second.effect}
        if effects == {FORBID, RECOMMEND}:
            yield (first, second) if first.effect == FORBID else (second, first)
        elif effects == {LIMIT} and first.pack != second.pack and first.dose != second.dose:
            yield first, second
