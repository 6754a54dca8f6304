"""`posology evaluate`: a saved policy and all it is compared with, on patients none has seen."""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from posology.artifact import Artifact
    from posology.domain.cohort import Cohort
    from posology.evaluation.table1.comparison import Table1
    from posology.evaluation.table1.predictions import Predictions


def evaluate(
    model: Annotated[Path, typer.Argument(help="A folder that `posology fit` made.")],
    study: Annotated[
        str, typer.Argument(help="A cohort's folder, or a study file or name with --events.")
    ],
    events: Annotated[
        Path | None, typer.Option(help="MEDS events, where the study is not a cohort's folder.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report here, as HTML.")] = None,
    most: Annotated[
        int,
        typer.Option(
            help="Where no truth is known: decisions at most, beside those of the test split, from "
            "which is learned who was given what."
        ),
    ] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same result.")] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure here as JSON.")
    ] = None,
) -> None:
    """What a saved policy is worth on the test split, beside rules, classical models, usual care.

    Where the most effective option is known, from the outcome itself or from a simulator's truth,
    Table 1. Where records only tell what came of the option given, the doubly robust value of
    following the policy, decision by decision; the first line is the verdict. Where a study's later
    decisions count, the value of whole courses stands beneath.
    """
    from posology import artifact
    from posology.cli.progress import one_thread
    from posology.cli.read_cohort import read_cohort
    from posology.domain.cohort import TEST, part
    from posology.errors import UserError

    one_thread()
    judged, cohort = artifact.load(model), read_cohort(study, events)
    if judged.policy.profile.codes != cohort.profile.codes:
        raise UserError(
            f"{model}: was fitted on another vocabulary than this cohort's; evaluate it on the "
            "cohort it was fitted on, whose test split it has not seen."
        )
    test = part(cohort, TEST)
    if not len(test):
        raise UserError(f"study {cohort.study.name}: nobody is in its test split ([split] test).")
    into = Into(report, json_file, seed)
    if (test.best >= 0).any():
        _against_truth(judged, cohort, into)
    else:
        _from_records(judged, cohort, most, into)


@dataclass(frozen=True, slots=True)
class Into:
    """Where figures go."""

    report: Path | None
    json_file: Path | None
    seed: int
    started: float = field(default_factory=time.perf_counter)


def _against_truth(judged: "Artifact", cohort: "Cohort", into: Into) -> None:
    import numpy as np

    from posology.cli.measures import spread_rows, write_measures
    from posology.cli.progress import CONSOLE, bars
    from posology.domain.cohort import TEST, TRAIN, VALIDATION, part
    from posology.evaluation.table1.comparison import compare_models, to_rows
    from posology.evaluation.table1.predictions import predict_cohort, usual_care_predictions
    from posology.learners.baselines import baselines
    from posology.report.table1 import terminal as screen

    train, validation, test = (part(cohort, s) for s in (TRAIN, VALIDATION, TEST))
    answers = {"posology": predict_cohort(judged.policy, test)}
    with bars() as progress:
        task = progress.add_task("baselines", total=None, said="")
        for name, make in baselines(train, validation):
            progress.update(task, said=name)
            answers[name] = predict_cohort(make(), test)
        if (test.treatment >= 0).all():
            answers["usual"] = usual_care_predictions(test)
        progress.update(task, said="2,000 resamples")
        table = compare_models(answers, test, np.random.default_rng(into.seed))
    CONSOLE.print(screen.table1(table))
    if into.report is not None:
        _write(into.report, judged, test, answers, table)
        CONSOLE.print(f"Report: [bold]{into.report}[/]")
    if into.json_file is not None:
        spread = judged.evidence.get("dose_spread")
        rows = [*to_rows(table), *spread_rows(answers["posology"].dose, test, spread)]
        write_measures(into.json_file, rows, into.started, into.seed)


def _from_records(judged: "Artifact", cohort: "Cohort", most: int, into: Into) -> None:
    import numpy as np

    from posology.cli.course_run import course_rows, run_courses
    from posology.cli.effect_report import of_courses, page, rows_of
    from posology.cli.effect_run import say
    from posology.cli.learning import kept
    from posology.cli.measures import write_measures
    from posology.cli.policy_run import run_policy
    from posology.cli.progress import CONSOLE, bars
    from posology.report.effects.page import write_effect_report
    from posology.report.trajectories import terminal as course_screen

    rng, courses = np.random.default_rng(into.seed), None
    with bars() as progress:
        task = progress.add_task("value", total=None, said="")

        def told(what: str) -> None:
            progress.update(task, said=what)

        found = run_policy(judged.policy, cohort, most, rng, told)
        if of_courses(cohort):
            courses = run_courses(judged.policy, cohort, found, most, rng, told)
    say(found)
    if courses is not None:
        CONSOLE.print(course_screen.show(courses))
    if into.report is not None:
        content = page(cohort, found, into.seed, judged.digest)
        content = replace(content, courses=courses, learning=kept(judged.evidence))
        write_effect_report(content, into.report)
        CONSOLE.print(f"Report: [bold]{into.report}[/]")
    if into.json_file is not None:
        rows = [*rows_of(cohort.study.name, found), *course_rows(cohort.study.name, courses)]
        write_measures(into.json_file, rows, into.started, into.seed)


def _write(
    path: Path,
    judged: "Artifact",
    test: "Cohort",
    answers: "dict[str, Predictions]",
    table: "Table1",
) -> None:
    import datetime

    import numpy as np

    import posology
    from posology.cli.learning import kept
    from posology.evaluation.table1.subgroups import find_subgroups, score_subgroups
    from posology.report.table1.cases import against_truth
    from posology.report.table1.content import ReportContent
    from posology.report.table1.page import write_report

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
        groups=score_subgroups(
            ours, test, find_subgroups(test), ("accuracy",), np.random.default_rng(0)
        ),
        learning=kept(judged.evidence),
        cases=against_truth(judged.policy, test),
        footer=(
            ("posology", posology.__version__),
            ("model", judged.digest[:16]),
            ("made", datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ),
    )
    write_report(content, path)
