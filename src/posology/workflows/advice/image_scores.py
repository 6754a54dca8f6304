"""What a network reads in images, as numbers that a study of effects can use."""

from dataclasses import replace

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.history import History, StepIndex, offsets_from_counts
from posology.domain.images import insert_without_image
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.profile import Profile

SCORE = "SCORE//NETWORK"
"""Family of the codes: the predicted effect of each option but the first, against the first."""


def add_image_scores(policy: Policy, history: History, decisions: StepIndex) -> History:
    """The history with the policy's predicted effects as events of each decision's last step.

    Their codes follow the vocabulary, in the order of the options.
    """
    allowed = allow_all_treatments(decisions, policy.formulary)
    chance = policy.predict_effectiveness(history, decisions, allowed).mean(axis=2)
    effect = (chance[:, 1:] - chance[:, :1]).astype(np.float32)
    codes = len(policy.profile.codes) + np.arange(effect.shape[1], dtype=np.int32)
    position = np.repeat(history.event_offsets[decisions + 1], effect.shape[1])
    counts = np.diff(history.event_offsets)
    np.add.at(counts, decisions, effect.shape[1])
    return replace(
        history,
        code=np.insert(history.code, position, np.tile(codes, len(decisions))),
        value=np.insert(history.value, position, effect.ravel()),
        event_offsets=offsets_from_counts(counts),
        images=insert_without_image(history.images, position),
    )


def with_image_scores(policy: Policy, cohort: Cohort) -> Cohort:
    """The cohort with these events, and their codes in its vocabulary.

    The policy must not have learned from the cohort's patients: their outcomes would be in it.
    """
    history = add_image_scores(policy, cohort.history, np.asarray(cohort.last_step))
    return replace(cohort, history=history, profile=_with_codes(cohort.profile, policy))


def _with_codes(profile: Profile, policy: Policy) -> Profile:
    first, *others = policy.formulary.treatments
    count = len(others)
    names = tuple(f"predicted effect of {t.title} against {first.title}" for t in others)
    return replace(
        profile,
        codes=profile.codes + tuple(f"{SCORE}//{t.name}" for t in others),
        center=np.append(profile.center, np.zeros(count, np.float32)),
        spread=np.append(profile.spread, np.ones(count, np.float32)),
        titles=(profile.titles or ("",) * len(profile.codes)) + names,
        units=profile.units + ("",) * count if profile.units else (),
    )
