"""TRIPOD+AI: which items this page answers by itself, and which its authors must still answer.

Collins and others 2024, BMJ 385:e078378 (doi:10.1136/bmj-2023-078378); the items in our own words.
"""

from dataclasses import dataclass

from posology.domain.study import Study


@dataclass(frozen=True, slots=True)
class Item:
    """An item, and where the page answers it; open where `where` is empty."""

    number: str
    what: str
    where: str = ""


def items(study: Study, groups: bool, harms: bool) -> tuple[Item, ...]:
    """Every item; `groups` and `harms`: whether the page has those sections."""
    said = "the study file" if study.purpose and study.limits else ""
    outcome = f"methods: {study.outcome.kind.replace('_', ' ')}, {study.outcome.within_days:g} days"
    return (
        Item("1", "Title: development or evaluation, population, outcome", "the head of the page"),
        Item("2", "Abstract"),
        Item("3a", "Context and reasons, with existing models"),
        Item("3b", "Intended population, purpose and users", said),
        Item("3c", "Known health inequalities between groups"),
        Item("4", "Objectives", said),
        Item("5a", "Sources of the data and how representative they are"),
        Item("5b", "Dates of entry and end of follow-up"),
        Item("6a", "Setting, number and place of centres"),
        Item("6b", "Eligibility", "the study file, and `posology cohort`'s flow"),
        Item("6c", "Treatments received and how they were handled", "usual care, and overlap"),
        Item("7", "Preparation of the data and quality checks", "the records' own report"),
        Item("8a", "Outcome: definition and horizon", outcome),
        Item("8b", "Who assessed the outcome, where judgement was needed"),
        Item("8c", "Blinding of the assessment of the outcome"),
        Item("9a", "Choice of the first predictors"),
        Item("9b", "Predictors: definition and time of measurement", "the list of covariates"),
        Item("9c", "Who assessed the predictors, where judgement was needed"),
        Item("10", "Sample size and its reasons"),
        Item("11", "Missing data", "methods"),
        Item("12a", "How the data were used for learning and for judging", "methods"),
        Item("12b", "Handling of predictors", "methods"),
        Item("12c", "Kind of model, how it was built, internal validation", "methods"),
        Item("12d", "Differences between centres"),
        Item("12e", "Measures of performance, and plots", "every section"),
        Item("12f", "Updating of the model after evaluation", "none was done"),
        Item("12g", "How predictions were computed", "methods"),
        Item("13", "Class imbalance", "no resampling of classes was done"),
        Item("14", "Fairness: methods and reasons", "groups" if groups else ""),
        Item("15", "Output of the model and thresholds", "methods, and the decision curves"),
        Item("16", "Differences between data for learning and for judging",
             "the same patients, each judged by a rule learned from the others"),
        Item("17", "Ethical approval and consent"),
        Item("18a", "Funding"),
        Item("18b", "Conflicts of interest"),
        Item("18c", "Protocol"),
        Item("18d", "Registration"),
        Item("18e", "Availability of the data"),
        Item("18f", "Availability of the code", "posology is open; its version stands below"),
        Item("19", "Involvement of patients and the public"),
        Item("20a", "Flow of participants", "what it rests on, and `posology cohort`'s flow"),
        Item("20b", "Characteristics of participants, missing data", "balance"),
        Item("20c", "Comparison with the data of development, where evaluated elsewhere"),
        Item("21", "Numbers of participants and outcomes in each analysis", "overlap"),
        Item("22", "The full model, so that others can predict with it"),
        Item("23a", "Performance with intervals, also of groups",
             "values, and groups" if groups else "values"),
        Item("23b", "Performance in different centres"),
        Item("24", "Results of updating", "none was done"),
        Item("25", "Interpretation, with fairness"),
        Item("26", "Limits", "what it is not for" if study.limits else ""),
        Item("27a", "Poor or missing input at the time of use", "methods"),
        Item("27b", "What users must do and know", said),
        Item("27c", "Next steps, with applicability elsewhere"),
        Item("+", "Harms beside benefits (not of TRIPOD+AI)", "harms" if harms else ""),
    )  # fmt: skip
