"""A study's results as a file that may leave the hospital: no patient, no small count."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import posology
from posology.causal.trial import Mask
from posology.domain.codes import display_names
from posology.domain.serialization import serialize
from posology.domain.statistics.protocol import protocol_hash, study_protocol
from posology.domain.statistics.study_summary import (
    FORMAT,
    GUIDELINE,
    HARM,
    LEARNED,
    MAIN,
    POLICY,
    SharedAnalysis,
    SharedStudy,
    StudySummary,
)
from posology.errors import UserError
from posology.evaluation.effects.effect_study import RULE
from posology.evaluation.effects.policy_values import one_hot_probabilities
from posology.evaluation.intervals import Z_95
from posology.evaluation.pooling.counts import ALL, EVERYONE, Counted, people, publish_counts
from posology.evaluation.pooling.disclosure import MIN_COUNT
from posology.evaluation.pooling.summarise import (
    Estimated,
    Followed,
    ShareSource,
    summarise_outcome,
)
from posology.evaluation.table1.subgroups import find_subgroups
from posology.records.io.drafts import write_whole
from posology.workflows.effect_study import EffectResult
from posology.workflows.evaluate import TruthEvaluation, ValueEvaluation
from posology.workflows.results import format_now

MIN_PATIENTS = 100
"""Analysed patients below which nothing is shared. Our choice: fewer are too easy to recognise."""


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A summary that was written, and where."""

    summary: StudySummary
    path: Path

    def __rich__(self) -> str:
        return f"Shared: {self.path}. {describe_sharing(self.summary)}"


def share_effects(result: EffectResult, path: str | Path, least: int = MIN_COUNT) -> SharedFile:
    """Write the summary of an effect study; as `summarise_study`."""
    summary = summarise_study(result, least)
    write_whole(Path(path), json.dumps(serialize(summary, {}), indent=1) + "\n")
    return SharedFile(summary, Path(path))


def share_evaluation(
    result: TruthEvaluation | ValueEvaluation, path: str | Path, least: int = MIN_COUNT
) -> SharedFile:
    """The same of a saved policy's evaluation; UserError where the best option is known."""
    if isinstance(result, TruthEvaluation):
        raise UserError(
            f"study {result.test.study.name}: its best option is known, so there are no effects "
            "to pool; share Table 1 instead (--json)."
        )
    return share_effects(result.effects, path, least)


def summarise_study(result: EffectResult, least: int = MIN_COUNT) -> StudySummary:
    """What may leave the hospital; its schema is `study_summary.schema.json`.

    Args:
        result: of an effect study, or of the evaluation of a saved policy.
        least: smallest count of patients that is written; a hospital may ask for more than 5.

    UserError if fewer than 100 patients were analysed, or if no two options can be compared.
    """
    if least < MIN_COUNT:
        raise UserError(f"--share-from {least}: counts under {MIN_COUNT} are never shared.")
    verdict, trial, cohort = result.estimates.verdict, result.trial.trial, result.cohort
    population = verdict.overlap.population
    if not verdict.overlap.judged:
        raise UserError(
            f"study {cohort.study.name}: {verdict.headline}; there is nothing to share."
        )
    analysed = len(np.unique(trial.subject[population]))
    if analysed < MIN_PATIENTS:
        raise UserError(
            f"study {cohort.study.name}: {analysed} patients were analysed; a summary is shared "
            f"from {MIN_PATIENTS} on, as fewer could be recognised."
        )
    groups = [replace(g, mask=g.mask[result.trial.row]) for g in find_subgroups(cohort)]
    outcomes = _outcomes(result)
    counted = Counted(trial, population, groups, _events(result, outcomes))
    options = tuple((o.name, o.title) for o in cohort.study.formulary.treatments)
    reference = verdict.reference.option
    published = publish_counts(counted, reference, least)
    source = ShareSource(
        counted=counted,
        judged=verdict.overlap.judged,
        options=options,
        reference=reference,
        observed=verdict.reference.observed,
        rules=_followed(result),
        least=least,
    )
    main = outcomes[0]
    return StudySummary(
        format=FORMAT,
        posology=posology.__version__,
        made=format_now(),
        study=_describe_study(result),
        analysis=SharedAnalysis(
            randomised=cohort.study.assignment.randomised,
            propensity=result.nuisance.propensity.model,
            covariates=result.trial.adjusted_for,
            reference=source.observed if reference is None else options[reference][0],
            suppressed_below=least,
            seed=result.seed,
        ),
        patients=published[EVERYONE],
        analysed=published[people(ALL)],
        outcomes=(
            *(summarise_outcome(source, outcome, ALL, published) for outcome in outcomes),
            *(summarise_outcome(source, main, group, published) for group in groups),
        ),
    )


def describe_sharing(summary: StudySummary) -> str:
    """What the file holds, and what was held back, in a sentence."""
    effects = sum(len(outcome.effects) for outcome in summary.outcomes)
    withheld = sum(bool(v.reason) for outcome in summary.outcomes for v in outcome.values)
    held = f"; {withheld} held back (each with its reason)" if withheld else ""
    return (
        f"{effects} effects{held}. No count under {summary.analysis.suppressed_below}, no patient. "
        "Read it before you send it."
    )


def _describe_study(result: EffectResult) -> SharedStudy:
    study = result.cohort.study
    protocol = study_protocol(study)
    return SharedStudy(study.name, study.title, protocol_hash(protocol), protocol)


def _outcomes(result: EffectResult) -> list[Estimated]:
    """The main outcome, then each harm and cost that can be estimated."""
    study, trial = result.cohort.study, result.trial
    name = display_names(study.outcome.codes, study.names)
    main = Estimated(name, MAIN, trial.unit, trial.is_binary, result.nuisance)
    events = {target.name for target in study.diagnosis}
    return [
        main,
        *(
            Estimated(harm, HARM, "" if harm in events else "cost", harm in events, nuisance)
            for harm, nuisance in result.harms.items()
        ),
    ]


def _events(result: EffectResult, outcomes: list[Estimated]) -> dict[str, Mask]:
    """Decisions at which each outcome is known to have occurred: the event, or any cost."""
    cohort, row = result.cohort, result.trial.row
    known = result.trial.is_followed_up
    good = cohort.effective[row] > 0
    is_time = cohort.study.outcome.kind == "time_to_event"
    events = {outcomes[0].name: known & (~good if is_time else good)}
    at = {target.name: i for i, target in enumerate(cohort.study.diagnosis)}
    for harm in outcomes[1:]:
        if harm.name in at and cohort.diagnosis is not None:
            events[harm.name] = cohort.diagnosis[row, at[harm.name]] > 0
        else:
            events[harm.name] = harm.nuisance.trial.outcome > 0
    return events


def _followed(result: EffectResult) -> list[Followed]:
    """The rule of the verdict, guidelines and saved policies."""
    verdict, options = result.estimates.verdict, result.trial.trial.n_options
    values = {value.rule: value for value in result.estimates.rule_values}
    own = one_hot_probabilities(verdict.chosen_by_run, options)
    rules = [(RULE, LEARNED if result.model is None else POLICY, own)]
    rules += [
        (name, POLICY if name in result.policies else GUIDELINE, choices.probability)
        for name, choices in result.rules.items()
        if name in result.policies or name.startswith("guideline: ")
    ]
    followed = []
    for name, kind, probability in rules:
        gain = values[name].reference_gain
        is_stated = not values[name].reason and not math.isnan(gain.value)
        digest = result.model if name == RULE else result.policies.get(name)
        followed.append(
            Followed(
                name=f"policy {digest}" if digest is not None else name,
                kind=kind,
                title=f"policy {digest[:8]}" if digest is not None else name,
                probability=probability,
                reason="" if is_stated else "too few patients were treated as it recommends",
                standard_error=(gain.high - gain.low) / (2 * Z_95)
                if is_stated and kind == LEARNED
                else 0.0,
            )
        )
    return followed
