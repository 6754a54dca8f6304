"""The public names, for type checkers: at run time they are imported on first use."""

from posology.artifact import load, save
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import select_split
from posology.evaluation.table1.comparison import compare_models
from posology.evaluation.table1.predictions import predict_cohort
from posology.workflows.cohorts import build_cohort, read_cohort
from posology.workflows.demo import demo
from posology.workflows.effect_study import effect_study
from posology.workflows.evaluate import evaluate
from posology.workflows.fit import NetworkSettings, fit, pretrain
from posology.workflows.ingest import ingest
from posology.workflows.predict import predict
from posology.workflows.recommend import recommend, template
from posology.workflows.simulate import simulate
from posology.workflows.tune import tune

__version__: str
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
