"""TRIPOD+AI: which items the effect page reports itself, and which its authors must add.

Collins and others 2024, BMJ 385:e078378 (doi:10.1136/bmj-2023-078378); the items in our own words.
"""

from dataclasses import dataclass

from posology.domain.study import Study


@dataclass(frozen=True, slots=True)
class TripodItem:
    """An item of the checklist."""

    number: str
    topic: str
    where: str = ""
    """Where the page reports it; empty: the authors must add it."""


_STUDY, _OUTCOME, _GROUPS, _HARMS = "study", "outcome", "groups", "harms"
"""Reported only if the study file says something, or if the page has such a section."""
_ITEMS = (
    ("1", "Title: development or evaluation, population, outcome", "the head of the page"),
    ("2", "Abstract", ""),
    ("3a", "Context and rationale, with existing models", ""),
    ("3b", "Intended population, purpose and users", _STUDY),
    ("3c", "Known health inequalities between groups", ""),
    ("4", "Objectives", _STUDY),
    ("5a", "Sources of the data and how representative they are", ""),
    ("5b", "Dates of entry and end of follow-up", ""),
    ("6a", "Setting, number and place of centres", ""),
    ("6b", "Eligibility", "question"),
    ("6c", "Treatments received and how they were handled", "question, and validity"),
    ("7", "Preparation of the data and quality checks", "the records' own report"),
    ("8a", "Outcome: definition and horizon", _OUTCOME),
    ("8b", "Who assessed the outcome, if judgement was needed", ""),
    ("8c", "Blinding of the assessment of the outcome", ""),
    ("9a", "Choice of the initial predictors", ""),
    ("9b", "Predictors: definition and time of measurement", "the list of covariates"),
    ("9c", "Who assessed the predictors, if judgement was needed", ""),
    ("10", "Sample size and its rationale", ""),
    ("11", "Missing data", "methods"),
    ("12a", "How the data were used for development and evaluation", "methods"),
    ("12b", "Handling of predictors", "methods"),
    ("12c", "Kind of model, how it was built, internal validation", "methods"),
    ("12d", "Differences between centres", ""),
    ("12e", "Measures of performance, and plots", "every section"),
    ("12f", "Updating of the model after evaluation", "none was done"),
    ("12g", "How predictions were computed", "methods"),
    ("13", "Class imbalance", "no resampling of classes was done"),
    ("14", "Fairness: methods and rationale", _GROUPS),
    ("15", "Output of the model and thresholds", "methods, and the decision curves"),
    (
        "16",
        "Differences between data for development and evaluation",
        "the same patients, each evaluated with a rule learned from the others",
    ),
    ("17", "Ethical approval and consent", ""),
    ("18a", "Funding", ""),
    ("18b", "Conflicts of interest", ""),
    ("18c", "Protocol", ""),
    ("18d", "Registration", ""),
    ("18e", "Availability of the data", ""),
    ("18f", "Availability of the code", "posology is open source; its version is below"),
    ("19", "Involvement of patients and the public", ""),
    ("20a", "Flow of participants", "question"),
    ("20b", "Characteristics of participants, missing data", "patients (Table 1)"),
    ("20c", "Comparison with the development data, if evaluated elsewhere", ""),
    ("21", "Numbers of participants and outcomes in each analysis", "outcome, and harms"),
    ("22", "The full model, so that others can predict with it", ""),
    ("23a", "Performance with intervals, overall and by group", "outcome, the rule, and groups"),
    ("23b", "Performance in different centres", ""),
    ("24", "Results of updating", "none was done"),
    ("25", "Interpretation, with fairness", ""),
    ("26", "Limits", _STUDY),
    ("27a", "Poor or missing input at the time of use", "methods"),
    ("27b", "What users must do and know", _STUDY),
    ("27c", "Next steps, with applicability elsewhere", ""),
    ("+", "Harms as well as benefits (not part of TRIPOD+AI)", _HARMS),
)


def tripod_items(study: Study, has_groups: bool, has_harms: bool) -> tuple[TripodItem, ...]:
    """Every item; `has_groups` and `has_harms`: whether the page has those sections."""
    outcome = f"methods: {study.outcome.kind.replace('_', ' ')}, {study.outcome.within_days:g} days"
    places = {
        _STUDY: "the study file" if study.purpose and study.limits else "",
        _OUTCOME: outcome,
        _GROUPS: "groups" if has_groups else "",
        _HARMS: "harms" if has_harms else "",
    }
    return tuple(
        TripodItem(number, topic, places.get(where, where)) for number, topic, where in _ITEMS
    )
