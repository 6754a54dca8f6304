"""Sentences and tables of each section of the report on effects."""

from typing import Any

from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.overlap import MAX_EXCLUDED_SHARE
from posology.evaluation.effects.subgroup_gain import SubgroupGain
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.report.effects.text import Scale, interval, number, p_value, share
from posology.report.trajectories import text as course_words

MOST_ROWS = 15
"""Of a table of covariates."""


def options(found: EffectStudy, scale: Scale, randomised: bool) -> dict[str, Any]:
    """The effect of each intervention as such."""
    clear = [
        o.effect
        for o in found.option_effects
        if o.effect.effect.low > 0 or o.effect.effect.high < 0
    ]
    said = "; ".join(
        f"{e.option} {'brings more' if e.effect.value > 0 else 'brings less'} "
        f"({scale.change(e.effect)})"
        for e in clear
    )
    plain = (
        f"Against {found.verdict.best_single}, given to everybody in the stated population, in "
        f"{scale.unit}: {said}."
        if clear
        else f"No option is shown to differ on average from {found.verdict.best_single}."
    )
    unclear = [o.effect for o in found.option_effects if o.effect not in clear]
    if clear and unclear:
        said = "; ".join(f"{e.option} ({scale.change(e.effect)})" for e in unclear)
        plain += f" Not shown to differ from it: {said}."
    rows = [
        (
            o.effect.option,
            f"{o.effect.patients:,}",
            scale.change(o.effect.effect),
            p_value(o.effect.effect.p),
            f"{o.confounder_strength.e_value:.2f} ({o.confounder_strength.e_value_limit:.2f})",
            f"{o.confounder_strength.gamma:.2f}",
            scale.change(o.effect.unadjusted),
        )
        for o in found.option_effects
    ]
    heads = ["Option", "Given to", "Difference (95 %)", "p, two-sided", "E-value (of the limit)",
             "Gamma at nothing", "As it stands, unadjusted"]  # fmt: skip
    beside = (
        "Beside it stands the difference of the means as they are. Both are unbiased, for lots "
        "decided; the adjusted one also takes out what chance left unequal."
        if randomised
        else "Beside it stands the difference of the means as they are: who was given what for a "
        "reason is in it, so that it is no effect."
    )
    table = _table(
        f"Average effect against {found.verdict.best_single}, {scale.unit}.", heads, rows
    )
    title = "What does each option bring on average?"
    return _section("options", "Options", title, [plain, beside], table)


def rule(found: EffectStudy, scale: Scale) -> dict[str, Any]:
    """The value of the rule against everything else."""
    names = [option.name for option in found.verdict.overlap.options]
    rows = [
        (
            v.rule,
            scale.value(v.value.value),
            scale.span(v.value),
            scale.change(v.gain),
            p_value(v.gain.p) if v.gain.low != v.gain.high else "",
            f"{v.effective_sample_size:,.0f}",
            "one to all"
            if max(v.option_shares) == 1.0
            else ", ".join(
                f"{n} {share(s)}" for n, s in zip(names, v.option_shares, strict=True) if s >= 0.005
            ),
        )
        for v in found.rule_values
    ]
    plain = [
        "Mean outcome if everybody in the stated population were treated by the rule. Gains are "
        "over the best single option as chosen on other patients, on the same patients. Effective "
        "patients: so many were, in effect, treated as the rule would treat them.",
    ]
    if found.number_needed_to_treat is not None and found.verdict.kind == "gain":
        plain.append(
            f"For one more good outcome {interval(found.number_needed_to_treat)} patients must be "
            "treated by the rule instead of by the best single option."
        )
    heads = ["Rule", "Mean outcome", "95 %", "Gain (95 %)", "p", "Effective patients",
             "What it gives"]  # fmt: skip
    return _section("rule", "The rule", "What would following a rule be worth?", plain,
                    _table(f"Doubly robust values, {scale.unit}.", heads, rows))  # fmt: skip


def courses(found: TrajectoryValue | None) -> dict[str, Any] | None:
    """The value of a saved policy over whole courses."""
    if found is None:
        return None
    plain = [course_words.note(found), *course_words.reasons(found)]
    table = _table(f"{course_words.TITLE}.", list(course_words.HEADS), course_words.rows(found))
    title = "What would following it earn to the end?"
    return _section("courses", "Courses", title, plain, table)


def varies(found: EffectStudy) -> dict[str, Any]:
    """Ranking and calibration of what is said of patients."""
    rows = [
        (f"{c.option} against {c.comparator}", interval(c.ranking.autoc), interval(c.ranking.qini),
         interval(c.calibration.slope), interval(c.calibration.calibration_in_the_large),
         p_value(c.calibration.p), interval(c.c_for_benefit))
        for c in found.contrasts
    ]  # fmt: skip
    heads = [
        "Contrast",
        "AUTOC",
        "Qini",
        "Calibration slope",
        "Level",
        "Shape",
        "C-for-benefit",
    ]
    caption = (
        "Before it is asked whether effects vary. AUTOC and Qini: 0 is a ranking no better than "
        "chance. Slope 1 and level 0 (seen less said, on average) are perfect. Shape: a small p "
        "says that what was seen does not follow what was said, whatever its level. "
        "C-for-benefit: 0.5 is chance; secondary, it is no proper score. A good ranking does not "
        "show that the level is right."
    )
    tables = _table(caption, heads, rows)
    return _section("patients", "Patients", "Do effects differ between patients?", [], tables)


def single_patients(found: EffectStudy, scale: Scale) -> dict[str, Any] | None:
    """How sure what is said of one patient is, and when to leave the choice to clinicians."""
    told = found.abstention
    if told is None:
        return None
    best = found.verdict.best_single
    sure = "; ".join(
        f"{o.option} is surely better than {best} for {share(o.better_share)} of patients"
        f" and surely worse for {share(o.worse_share)}"
        for o in told.options
    )
    plain = [
        f"{sure}. Of the others no reliable difference can be told. Intervals are of the mean "
        "effect of patients alike in what was recorded, never of one person, and hold it for 95 % "
        "of patients on average, not for each.",
        f"If clinicians chose for the {share(told.when_uncertain.abstained_share)} of patients of "
        f"whom no option is surely better than the others, the rest by the rule would bring "
        f"{scale.change(told.when_uncertain.gain_over_usual_care)} beyond usual care and "
        f"{scale.change(told.when_uncertain.gain_over_best_single)} beyond {best} for all.",
    ]
    tables = _table(
        f"Effect on one patient against {best}: intervals that leave out 0.",
        ["Option", "Surely better", "Surely worse", "Median width of the interval"],
        [
            (
                o.option,
                share(o.better_share),
                share(o.worse_share),
                number(scale.factor * o.median_width),
            )
            for o in told.options
        ],
    ) + _table(
        f"The rule, but for so many patients, the least sure first, whom clinicians treat as they "
        f"do; {scale.unit}.",
        [
            "Left to clinicians",
            "Mean outcome (95 %)",
            "Beyond usual care (95 %)",
            "Beyond the best single option (95 %)",
        ],
        [
            (
                share(p.abstained_share),
                f"{scale.value(p.value.value)} ({scale.span(p.value)})",
                scale.change(p.gain_over_usual_care),
                scale.change(p.gain_over_best_single),
            )
            for p in told.curve
        ],
    )
    return _section("one", "One patient", "How sure is what is said of one patient?", plain, tables)


def harms(found: EffectStudy) -> dict[str, Any] | None:
    """Other outcomes."""
    if not found.harms:
        return _section(
            "harms", "Harms", "What harm goes with it?",
            ["The study file names no harm and no cost, so none was asked: [[diagnosis]] and "
             "[reward] costs would be outcomes of their own here."], None,
        )  # fmt: skip
    rows = []
    for harm in found.harms:
        row = harm.rule
        rows.append((f"{row.outcome}: the rule, against one option for all",
                     number(row.single), _plain(row.difference)))  # fmt: skip
        rows += [(f"{row.outcome}: {e.option}, against {e.comparator}", "", _plain(e.effect))
                 for e in harm.options]  # fmt: skip
    heads = ["Outcome", "Under one option for all", "Difference (95 %)"]
    return _section(
        "harms", "Harms", "What harm goes with it?",
        ["Each harm or cost is an outcome of its own, judged like the benefit; above 0 is more of "
         "it. Harms are chances: 0.01 is one patient more in a hundred. A harm that no option can "
         "cause is a control: an effect on it would betray a hidden reason. It is not "
         "weighed against the benefit here: that is for those concerned."],
        _table("Harms and costs beside the benefit.", heads, rows),
    )  # fmt: skip


def overlap(found: EffectStudy) -> dict[str, Any]:
    """Who could be judged."""
    overall = found.verdict.overlap
    rows = [
        (o.name, f"{o.patients:,}", f"{o.effective_sample_size:,.0f}", share(o.extreme_share),
         "cannot be judged" if o.lacks_overlap else "")
        for o in overall.options
    ]  # fmt: skip
    kept = share(1 - overall.excluded_share)
    warning = (
        " That is a warning: conclusions are about the others." if overall.excludes_many else ""
    )
    tables = _table(
        "Overlap of each option. Effective patients: what weighting leaves of those given it.",
        ["Option", "Given to", "Effective patients", "Propensity outside 5 to 95 %", ""], rows,
    )  # fmt: skip
    if found.excluded:
        tables += _table(
            "Who is left out: means, and their standardised difference, the largest first.",
            ["Covariate", "Kept", "Left out", "Difference"],
            [(r.covariate, number(r.included), number(r.excluded), f"{r.difference:+.2f}")
             for r in found.excluded[:MOST_ROWS]],
        )  # fmt: skip
    return _section(
        "overlap",
        "Overlap",
        "Can the options be compared, and on whom?",
        [
            f"For {kept} of patients every option had a chance of at least 5 %. They are the "
            f"stated population.{warning} The page warns where more than "
            f"{share(MAX_EXCLUDED_SHARE)} are left out."
        ],
        tables,
    )


def hidden(found: EffectStudy, randomised: bool) -> dict[str, Any] | None:
    """Unmeasured confounding."""
    if randomised:
        return _section(
            "hidden", "Hidden reasons", "What could a reason that nobody recorded undo?",
            ["Lots decided who was given what, so nothing that was not recorded did, as long as "
             "they were kept to and patients were not lost for a reason. The E-values and Gammas "
             "above would matter if they were not."], None,
        )  # fmt: skip
    if found.rule_confounder_strength is None:
        return None
    s = found.rule_confounder_strength
    gain = (
        "There is no gain to explain away: a hidden reason could as well hide one."
        if s.gamma <= 1
        else f"The rule's gain is gone if hidden reasons changed the odds of treatment by a factor "
        f"of {s.gamma:.2f}, or if one were tied to treatment and to outcome with a risk ratio of "
        f"{s.e_value:.2f} each ({s.e_value_limit:.2f} for the interval's limit)."
    )
    return _section(
        "hidden", "Hidden reasons", "What could a reason that nobody recorded undo?",
        ["Ranking measures and calibration cannot see such a reason; these figures say how strong "
         "it must be. Those of each option stand in the first table.", gain], None,
    )  # fmt: skip


def groups(found: EffectStudy, scale: Scale) -> dict[str, Any] | None:
    """Fairness."""
    if not found.subgroups:
        return None
    rows = [
        (f"{g.family}: {g.group}", f"{g.n:,}", share(g.in_population / g.n) if g.n else "",
         share(g.differing_share), _valued(g, scale), scale.change(g.gain))
        for g in found.subgroups
    ]  # fmt: skip
    seen = [
        (f"{g.family}: {g.group}", f"{b.option} against {b.comparator}",
         number(scale.factor * b.predicted), scale.change(b.observed),
         "" if b.observed.low <= b.predicted <= b.observed.high else "outside")
        for g in found.subgroups for b in g.benefits
    ]  # fmt: skip
    return _section(
        "groups", "Groups", "Is anybody served worse?",
        ["Intervals of groups are not corrected for their number: an interval that just leaves "
         "out 0 is a reason to look, not a finding."],
        _table("The rule by group, in the stated population.",
               ["Group", "Patients", "In it", "Rule differs", "Mean outcome by it (95 %)",
                "Gain (95 %)"], rows)
        + _table(f"Average effect in each group as it was said and as it was seen, {scale.unit}.",
                 ["Group", "Contrast", "Said", "Seen (95 %)", "Said is"], seen),
    )  # fmt: skip


def stability(found: EffectStudy, scale: Scale) -> dict[str, Any] | None:
    """Other folds."""
    if not found.stability:
        return None
    rows = [(f"folds drawn anew, {i}", share(s.agreement), scale.change(s.gain))
            for i, s in enumerate(found.stability, 1)]  # fmt: skip
    return _section(
        "stability", "Stability", "Would it say the same again?",
        ["The rule was learned anew on other folds of the same patients."],
        _table("Share of patients with the same option, and the gain that rule shows.",
               ["Run", "Same option", "Gain (95 %)"], rows),
    )  # fmt: skip


def _valued(group: SubgroupGain, scale: Scale) -> str:
    known = group.value.value == group.value.value
    return f"{scale.value(group.value.value)} ({scale.span(group.value)})" if known else ""


def _plain(difference: Any) -> str:
    return (
        f"{number(difference.value)} ({number(difference.low)} to {number(difference.high)}), "
        f"{p_value(difference.p)}"
    )


def _table(caption: str, heads: list[str], rows: list[tuple]) -> list[dict[str, Any]]:
    return [{"caption": caption, "heads": heads, "rows": rows}]


def _section(
    name: str, short: str, title: str, plain: list[str], tables: list[dict[str, Any]] | None
) -> dict[str, Any]:
    return {
        "id": name, "short": short, "title": title, "plain": plain, "figures": [],
        "tables": tables or [],
    }  # fmt: skip
