"""A study whose rules can be judged by a History alone: for questions of what if."""

from dataclasses import replace

from posology.domain.profile import Profile
from posology.domain.safety_rules.check import SafetyCheck
from posology.domain.safety_rules.facts import MET, UNKNOWN
from posology.domain.safety_rules.rule import BLOCK_UNKNOWN, SafetyRule
from posology.domain.study import Study


def fix_rules(study: Study, profile: Profile, checked: SafetyCheck) -> Study:
    """The study for one patient, with rules on codes that the profile lacks taken as they are.

    Such a rule cannot change where a fact of the History does: it applies always, or never.

    Args:
        checked: the rules by all of the patient's events.
    """
    blocks = study.safety_packs.on_unknown == BLOCK_UNKNOWN
    rules = []
    for rule, status in zip(checked.rules, checked.status[0].tolist(), strict=True):
        if _is_visible(rule, profile):
            rules.append(rule)
        elif status == MET or (blocks and status == UNKNOWN):
            rules.append(replace(rule, any_of=(), all_of=(), unless=()))
    packs = replace(study.safety_packs, rules=tuple(rules))
    return replace(study, safety=(), safety_packs=packs)


def _is_visible(rule: SafetyRule, profile: Profile) -> bool:
    facts = (*rule.all_of, *rule.any_of, *rule.unless)
    return all(profile.rows((code,)) for fact in facts for code in (*fact.codes, *fact.known_by))
