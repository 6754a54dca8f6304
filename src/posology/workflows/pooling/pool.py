"""Summaries of several hospitals, read, checked and pooled."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from rich.console import Group

import posology
from posology.domain.serialization import deserialize
from posology.domain.statistics.protocol import protocol_hash
from posology.domain.statistics.study_summary import FORMAT, StudySummary
from posology.errors import UserError
from posology.evaluation.intervals import Difference, Interval
from posology.evaluation.pooling.consistency import describe_contradiction
from posology.evaluation.pooling.pool import PooledEffect, PooledStudy, pool_summaries
from posology.evaluation.pooling.words import heterogeneity_kind
from posology.report.pooling.page import PoolContent, write_pool_page
from posology.report.pooling.terminal import render_pooled
from posology.report.pooling.text import hospital_difference
from posology.workflows.results import Row, finite_or_none, format_now, render_text, rows_to_table

_EXPECTED = "a summary is the file that `posology effect --share` writes"


@dataclass(frozen=True, slots=True, eq=False)
class PoolResult:
    """Pooled effects of the hospitals' summaries."""

    study: PooledStudy

    @property
    def rows(self) -> list[Row]:
        """Every comparison: the mean over hospitals, how they differ, each hospital."""
        return [row for effect in self.study.effects for row in _effect_rows(self.study, effect)]

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def summary(self) -> str:
        """Every comparison as text."""
        return render_text(self.every_comparison)

    def __rich__(self) -> Group:
        return render_pooled(self.study)

    @property
    def every_comparison(self) -> Group:
        """The table with all comparisons, also those that do not differ between hospitals."""
        return render_pooled(self.study, every=True)

    def report(self, path: str | Path) -> None:
        """Write the page, one HTML file."""
        footer = (("posology", posology.__version__), ("made", format_now()))
        write_pool_page(PoolContent(self.study, footer), Path(path))


def pool(paths: Sequence[str | Path]) -> PoolResult:
    """Pool the summaries of these files; each hospital is called by its file's name.

    UserError if a file is no summary, or their studies differ.
    """
    names = [Path(path).stem for path in paths]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise UserError(
            f"two files are called {repeated[0]}; give each hospital's file a name of its own."
        )
    summaries = {name: read_summary(Path(path)) for name, path in zip(names, paths, strict=True)}
    return PoolResult(pool_summaries(summaries))


def read_summary(path: Path) -> StudySummary:
    """The summary of a file; UserError if it is none, or was changed."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {_EXPECTED}.") from error
    except ValueError as error:
        raise UserError(f"{path}: is no JSON; {_EXPECTED}.") from error
    number = body.get("format") if isinstance(body, dict) else None
    if number != FORMAT:
        raise UserError(
            f"{path}: has format {number}, and posology {posology.__version__} reads {FORMAT}; "
            f"{_EXPECTED}."
        )
    try:
        summary: StudySummary = deserialize(StudySummary, body, {})
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: {error}; {_EXPECTED}.") from error
    if protocol_hash(summary.study.protocol) != summary.study.hash:
        raise UserError(f"{path}: its protocol does not match its hash: it was changed.")
    for outcome in summary.outcomes:
        size = len(outcome.effects)
        if [len(row) for row in outcome.covariance] != [size] * size:
            raise UserError(
                f"{path}: outcome {outcome.name}: {size} effects need a covariance of "
                f"{size} by {size} numbers."
            )
    contradiction = describe_contradiction(summary)
    if contradiction:
        raise UserError(
            f"{path}: {contradiction}: it was changed. Ask the hospital for the file that "
            "`posology effect --share` wrote."
        )
    return summary


def _effect_rows(study: PooledStudy, effect: PooledEffect) -> list[Row]:
    """The mean, tau, I squared, Q and the prediction, then each hospital."""
    outcome, pooled = effect.outcome, effect.pooled
    name = {"study": study.summaries[0].study.name, "model": effect.name}
    where = {"outcome": outcome.name, "group": f"{outcome.family}: {outcome.group}"}
    where = where if outcome.group else {"outcome": outcome.name}
    metric = f"effect_against_{effect.against}"
    rows: list[Row] = []
    if pooled is not None:
        n = {"n": len(effect.hospitals)}
        rows.append(
            {**name, "split": "pooled", "metric": metric, **_figures(pooled.mean), **n, **where}
            | {"p": finite_or_none(pooled.mean.p), "kind": heterogeneity_kind(effect)}
        )
        tau = Interval(pooled.tau, pooled.tau_low, pooled.tau_high)
        nan = float("nan")
        more = {
            "tau": tau,
            "i_squared": Interval(pooled.i_squared, nan, nan),
            "q": Interval(pooled.q, nan, nan),
            "q_p": Interval(pooled.q_p, nan, nan),
            "prediction": pooled.prediction or Interval(nan, nan, nan),
        }
        rows += [
            {
                **name,
                "split": "pooled",
                "metric": f"{metric} {key}",
                **_figures(value),
                **n,
                **where,
            }
            for key, value in more.items()
        ]
    rows += [
        {**name, "split": h.hospital, "metric": metric, **_figures(hospital_difference(h))}
        | {"n": None, **where}
        for h in effect.hospitals
    ]
    rows += [
        {**name, "split": hospital, "metric": metric, "value": None, "low": None, "high": None}
        | {"n": None, **where, "reason": reason}
        for hospital, reason in effect.missing
    ]
    return rows


def _figures(estimate: Difference | Interval) -> dict[str, float | None]:
    return {key: finite_or_none(getattr(estimate, key)) for key in ("value", "low", "high")}
