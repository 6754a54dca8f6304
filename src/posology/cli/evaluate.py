"""`posology evaluate`: a policy and everything it is compared with, on patients none has seen."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from posology.artifact import Artifact
    from posology.domain.cohort import Cohort
    from posology.evaluation.answers import Answers
    from posology.evaluation.compare import Table1


def evaluate(
    model: Annotated[Path, typer.Argument(help="A folder that `posology fit` made.")],
    study: Annotated[
        str, typer.Argument(help="A cohort's folder, or a study file or name with --events.")
    ],
    events: Annotated[
        Path | None, typer.Option(help="MEDS events, where the study is not a cohort's folder.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report here, as HTML.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same result.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure here as JSON.")
    ] = None,
) -> None:
    """Table 1 on the test split: the policy, rules, classical models and usual care.

    It asks which option is most effective, so that must be known: from the outcome itself, or from
    a simulator's truth. Where it is not, `posology effect` estimates what options bring.
    """
    import numpy as np

    from posology import artifact
    from posology.cli.measures import spread_rows, write_measures
    from posology.cli.progress import CONSOLE, bars, one_thread
    from posology.cli.read_cohort import read_cohort
    from posology.domain.cohort import TEST, TRAIN, VALIDATION, part
    from posology.evaluation.answers import ask, usual_care
    from posology.evaluation.compare import as_rows, table1
    from posology.learners.lineup import baselines
    from posology.report import screen

    started = time.perf_counter()
    one_thread()
    judged, cohort = artifact.load(model), read_cohort(study, events)
    train, validation, test = (part(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    _fits(judged, model, cohort, test)
    answers = {"posology": ask(judged.policy, test)}
    with bars() as progress:
        task = progress.add_task("baselines", total=None, said="")
        for name, make in baselines(train, validation):
            progress.update(task, said=name)
            answers[name] = ask(make(), test)
        if (test.treatment >= 0).all():
            answers["usual"] = usual_care(test)
        progress.update(task, said="2,000 resamples")
        table = table1(answers, test, np.random.default_rng(seed))
    CONSOLE.print(screen.table1(table))
    if report is not None:
        _write(report, judged, test, answers, table)
        CONSOLE.print(f"Report: [bold]{report}[/]")
    if json_file is not None:
        spread = judged.evidence.get("dose_spread")
        rows = spread_rows(answers["posology"].dose, test, spread)
        write_measures(json_file, [*as_rows(table), *rows], started, seed)


def _fits(judged: "Artifact", model: Path, cohort: "Cohort", test: "Cohort") -> None:
    from posology.errors import UserError

    if judged.policy.profile.codes != cohort.profile.codes:
        raise UserError(
            f"{model}: was fitted on another vocabulary than this cohort's; evaluate it on the "
            "cohort it was fitted on, whose test split it has not seen."
        )
    if not (test.best >= 0).any():
        raise UserError(
            f"study {cohort.study.name}: which option is most effective is known of none of its "
            f"{len(test):,} test decisions; `posology effect` estimates what each option brings."
        )


def _write(
    path: Path,
    judged: "Artifact",
    test: "Cohort",
    answers: "dict[str, Answers]",
    table: "Table1",
) -> None:
    import datetime

    import numpy as np

    import posology
    from posology.evaluation.subgroups import groups_of, subgroups
    from posology.report.cases import against_truth
    from posology.report.content import ReportContent
    from posology.report.page import write_report

    patients = len(np.unique(test.subject))
    ours = answers[table.reference]
    content = ReportContent(
        study=test.study,
        cohort=test,
        answers=answers,
        table=table,
        evidence=(
            f"{len(test):,} decisions of {patients:,} patients of the cohort's test split, "
            "whom no model saw before."
        ),
        groups=subgroups(ours, test, groups_of(test), ("accuracy",), np.random.default_rng(0)),
        cases=against_truth(judged.policy, test),
        footer=(
            ("posology", posology.__version__),
            ("model", judged.digest[:16]),
            ("made", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ),
    )
    write_report(content, path)
