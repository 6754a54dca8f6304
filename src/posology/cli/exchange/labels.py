"""`posology labels`: learn the labels of a MEDS task, and predict them of other patients."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from posology.cli.options import JsonFile, Seed, writable_file, writable_folder

labels = typer.Typer(
    name="labels",
    help="Learn labels of a MEDS task and predict them, as MEDS-DEV runs a model.",
    no_args_is_help=True,
)
Dataset = Annotated[
    Path, typer.Argument(help="A MEDS folder with metadata/subject_splits.parquet.")
]
LabelFiles = Annotated[
    Path, typer.Argument(help="A folder of MEDS label files of one task, or one file.")
]


class MedsSplit(StrEnum):
    """MEDS's names of the splits; written here, as importing them takes half a second."""

    TRAIN = "train"
    TUNING = "tuning"
    HELD_OUT = "held_out"


@labels.command()
def fit(
    dataset: Dataset,
    task: LabelFiles,
    out: Annotated[
        Path, typer.Option(help="A new folder for the model.", callback=writable_folder)
    ],
    method: Annotated[
        str, typer.Option(help="How it is learned: a method of `posology fit`.")
    ] = "tuned_boosting",
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Learn from the labels of the train split, with those of the tuning split as validation.

    Only boolean labels are learned. A label may know what happened at its very moment; nothing
    later is read.
    """
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.errors import UserError
    from posology.workflows.exchange.label_files import LabelTask
    from posology.workflows.exchange.label_models import fit_labels
    from posology.workflows.results import write_measurements

    started = time.perf_counter()
    if out.exists():
        raise UserError(f"--out {out}: exists already; name a new folder.")
    use_one_thread()
    with show_progress("labels") as progress:
        counts = fit_labels(LabelTask(dataset, task), out, method, seed, progress)
    CONSOLE.print(f"Learned from {counts.summary()}", highlight=False)
    CONSOLE.print(
        f"Model saved in {out}\n"
        f"Next: posology labels predict {out} {dataset} {task} --out predictions.parquet",
        soft_wrap=True,
    )
    if json_file is not None:
        write_measurements(json_file, counts.rows, started, seed)


@labels.command()
def predict(
    model: Annotated[Path, typer.Argument(help="The folder that `labels fit` made.")],
    dataset: Dataset,
    task: LabelFiles,
    out: Annotated[
        Path, typer.Option(help="A Parquet file for the predictions.", callback=writable_file)
    ],
    split: Annotated[
        MedsSplit, typer.Option(help="Whose labels are predicted.")
    ] = MedsSplit.HELD_OUT,
    json_file: JsonFile = None,
) -> None:
    """Predict the labels of one split, in the columns that meds-evaluation reads.

    The label itself is copied beside the prediction; it has no part in it.
    """
    from posology.cli.progress import CONSOLE, show_progress, use_one_thread
    from posology.workflows.exchange.label_files import LabelTask
    from posology.workflows.exchange.label_models import predict_labels
    from posology.workflows.results import write_measurements

    started = time.perf_counter()
    use_one_thread()
    with show_progress("labels") as progress:
        counts = predict_labels(model, LabelTask(dataset, task), split.value, out, progress)
    CONSOLE.print(f"Predicted {counts.summary()}", highlight=False)
    CONSOLE.print(f"Predictions in {out}", soft_wrap=True)
    if json_file is not None:
        write_measurements(json_file, counts.rows, started)
