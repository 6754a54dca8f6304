"""Names on disk that have changed: the name in an older saved policy, and today's name.

One line a rename. `artifact.load` reads format 1 through `FORMAT_1`. tests/test_artifact_keys.py
opens policies that were saved before the renames.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of one format of saved policies, each with today's name."""

    kinds: Mapping[str, str]
    """Class of a policy, as saved: its class today."""
    fields: Mapping[str, Mapping[str, str]]
    """Today's name of a dataclass: its fields as saved, each with the field's name today."""
    weights: Mapping[str, str]
    """Prefix of a weight's name in the network's state, as saved: the prefix today."""


KINDS: dict[str, str] = {
    "RecentPolicy": "RecentWindowPolicy",
    "BoostingMarginPolicy": "DoseGridPolicy",
    "DosePolicy": "EffectDosePolicy",
    "OrderPolicy": "PreferenceListPolicy",
    "RidgeMarginPolicy": "DoseGridPolicy",
}

FIELDS: dict[str, dict[str, str]] = {
    "RecentWindowPolicy": {"acting": "selection"},
    "ActionSelection": {
        "center": "value_mean",
        "spread": "value_std",
        "rare": "min_support",
        "chance": "is_probability",
    },
    "RecentWindowSpec": {
        "number": "value_code",
        "spread": "scale",
        "flag": "flag_code",
        "steps": "code_steps",
    },
    "NetworkPolicy": {"reading": "decoding"},
    "Decoding": {
        "margin_center": "target_distance_center",
        "margin_spread": "target_distance_spread",
        "levels": "dose_levels",
        "rare": "min_support",
        "course_center": "progression_center",
        "course_spread": "progression_spread",
        "course_error": "progression_error",
    },
    "NetworkConfig": {
        "carried": "history_summary",
        "levels": "dose_levels",
        "past": "treatment_codes",
    },
    "TaskCounts": {"measures": "progressions", "incidents": "times_to_event"},
    "Heterogeneity": {"error": "standard_error"},
    "SplineBasis": {"of": "feature_of_knot", "pair": "feature_pairs", "knot": "knots"},
    "Study": {"given": "assignment"},
    "Outcome": {"competing_means": "competing_as"},
    "DoseGridPolicy": {"chance": "link", "told": "interactions"},
    "EffectDosePolicy": {
        "curves": "benefit_curves",
        "harms": "harm_curves",
        "which": "option_policy",
    },
    "EffectPolicy": {"single": "best_single_trees"},
    "EffectivenessLink": {"level": "intercept"},
    "Effects": {
        "arm_weight": "x_learner_weight",
        "arms": "x_learner_trees",
        "level": "average",
        "personal": "is_personal",
        "single": "best_single",
        "sums": "linear",
    },
    "LinearPolicy": {"exclusive": "is_multiclass"},
    "TreatmentInteractions": {"bend": "curvature", "level": "intercept"},
    "TreePolicy": {"exclusive": "is_multiclass", "options": "option_trees"},
}

WEIGHTS: dict[str, str] = {
    "foretold.": "additive_head.",
    "worth.": "effect_to_value.",
    "curves.alike.": "curves.shared.",
    "curves.courses": "curves.history",
    "tasks.past.": "tasks.skip.",
    "tasks.heads.course.": "tasks.heads.progression.",
    "encoder.enter.": "encoder.input.",
    "encoder.leave.": "encoder.output_norm.",
}

_ENCODER_LAYER = {
    "asked": "qkv",
    "mixed": "projection",
    "then": "feedforward",
    "now": "current",
    "before": "lagged",
    "leave": "output",
}
WEIGHTS |= {
    f"encoder.layers.{layer}.{saved}.": f"encoder.layers.{layer}.{today}."
    for layer in range(8)
    for saved, today in _ENCODER_LAYER.items()
}

FORMAT_1 = Keys(KINDS, FIELDS, WEIGHTS)
TODAY = Keys({}, {"Outcome": FIELDS["Outcome"]}, {})


COMPETING_AS = {"ineffective": "failure", "censored": "cause_specific"}
"""Values of `competing_means` as saved: the value of `competing_as` today."""


def weight_name(saved: str, keys: Keys) -> str:
    """Today's name of a weight; the longest prefix that fits is replaced."""
    fitting = [prefix for prefix in keys.weights if saved.startswith(prefix)]
    if not fitting:
        return saved
    prefix = max(fitting, key=len)
    return keys.weights[prefix] + saved.removeprefix(prefix)
