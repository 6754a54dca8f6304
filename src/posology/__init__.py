"""posology: which treatment, at what dose, for this patient."""

import importlib

__version__ = "0.1.0"

_HOME = {
    "read_study": "posology.cohorts.study.reader",
    "build_cohort": "posology.cohorts.build",
    "encode_patient": "posology.cohorts.patient",
    "read_patient": "posology.records.sources.patient_json",
    "select_split": "posology.domain.cohort",
    "subset_decisions": "posology.domain.cohort",
    "default": "posology.learners.recipes",
    "paper": "posology.learners.recipes",
    "predict_cohort": "posology.evaluation.table1.predictions",
    "compare_models": "posology.evaluation.table1.comparison",
    "recommend": "posology.advice.recommend",
    "forecast": "posology.advice.forecast",
    "save": "posology.artifact",
    "load": "posology.artifact",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Public names, imported when first used, so that `import posology` imports no torch."""
    if name not in _HOME:
        raise AttributeError(f"posology has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_HOME[name]), name)
