"""posology: which treatment, at what dose, for this patient."""

import importlib

__version__ = "0.1.0"
__all__ = [
    "NetworkSettings",
    "build_cohort",
    "compare_models",
    "demo",
    "effect_study",
    "evaluate",
    "fit",
    "ingest",
    "load",
    "predict",
    "predict_cohort",
    "pretrain",
    "read_cohort",
    "read_study",
    "recommend",
    "save",
    "select_split",
    "simulate",
    "template",
    "tune",
]
_MODULES = {
    "NetworkSettings": "posology.workflows.fit",
    "build_cohort": "posology.workflows.cohorts",
    "compare_models": "posology.evaluation.table1.comparison",
    "demo": "posology.workflows.demo",
    "effect_study": "posology.workflows.effect_study",
    "evaluate": "posology.workflows.evaluate",
    "fit": "posology.workflows.fit",
    "ingest": "posology.workflows.ingest",
    "load": "posology.artifact",
    "select_split": "posology.domain.cohort",
    "predict": "posology.workflows.predict",
    "predict_cohort": "posology.evaluation.table1.predictions",
    "pretrain": "posology.workflows.fit",
    "read_cohort": "posology.workflows.cohorts",
    "read_study": "posology.cohorts.study.reader",
    "recommend": "posology.workflows.recommend",
    "save": "posology.artifact",
    "simulate": "posology.workflows.simulate",
    "template": "posology.workflows.recommend",
    "tune": "posology.workflows.tune",
}
"""Where each public name is defined: it is imported on first use, so `import posology` is fast.

Type checkers read the same from `__init__.pyi`."""


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"posology has no {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
