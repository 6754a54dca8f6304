"""The methods text of the effect page, and its sources."""

from posology.report.effects.content import EffectContent

CAUTION = (
    "An effect here is an average over patients with the same recorded covariates, not a certainty "
    "about one person. Nothing on this page shows that the results hold elsewhere or later."
)
_LEARNED_RULE = (
    "Individual effects: an R-learner that stacks linear terms, splines, products, boosted trees "
    "and an X-learner. "
    "The rule is personalised only if effects vary significantly among the patients it is learned "
    "from (5 %: by the predicted effects, or by all interactions together); otherwise it gives the "
    "best single option to every patient. It departs from that option where the predicted gain is "
    "at least a quarter of its standard deviation between patients. Every "
    "patient is evaluated with a rule, and against a best single option, from four other folds; "
    "values, gains and harms of the rule are means over runs on different folds."
)
_SAVED_POLICY = (
    "The rule is the saved policy's first choice among the options that safety rules allow. The "
    "policy, the classical models and the best single option were learned from patients outside "
    "the test split, and only patients of the test split are evaluated here; their propensities "
    "and outcome regressions come from all the other patients. The heterogeneity of effects is "
    "tested on the policy's predicted effects."
)
_OBSERVED = (
    "Identification rests on four assumptions that no software can check: there is no confounder "
    "other than the covariates listed below, every option was possible for the patients analysed, "
    "the options mean what the study says, and one patient's treatment does not affect another's "
    "outcome."
)
_RANDOMISED = (
    "Chance decided who was given which option, so nothing confounds the comparison. It still "
    "rests on what no software can check: the options on record are those assigned and mean what "
    "the study says, who was lost to follow-up is explained by the covariates listed below, and "
    "one patient's treatment does not affect another's outcome."
)
_METHODS = (
    "Target trial: eligibility, time zero, options, outcome and horizon are those of the study "
    "file. {assumptions}",
    "Propensities: the best by log loss of constant shares, logistic regression, splines and "
    "boosted trees (a forest in their place with more than eight options), cross-fitted over five "
    "folds of patients and calibrated with one temperature. Selected here: {propensity}. "
    "Outcomes: ridge regression on hinges and products, stacked with boosted trees and "
    "cross-fitted over the same folds. Values are means of doubly robust (AIPW) scores.",
    "{rule}",
    "Analysis population: patients with a propensity of at least 5 % for every option; averages, "
    "values, harms and subgroups refer to them. Intervals are the middle 95 % of 2,000 bootstrap "
    "draws of patients with the scores held fixed. Those of the options' average effects are "
    "simultaneous (max-t); the others are not corrected for multiple testing, and "
    "the verdict rests on one of them. On simulated patients (four settings, 27 data sets of each) "
    "intervals contained the truth in 93 to 100 %, that of the gain in 97 %, of the net benefit in "
    "93 % (benchmarks.calibration_of_claims). If the rule was learned from these patients, fold by "
    "fold, intervals of ranking measures and of the calibration slope are widened by a factor of "
    "1.41, and the p value of heterogeneity is adjusted likewise, for the noise that folds share.",
    "Interval of one patient's effect: a Bayesian regression on the same kind of terms, with a "
    "Gaussian process over linear terms, hinges, products and random cosines whose variance is "
    "integrated out; learned from other folds, and widened by its distance from the predicted "
    "effect.",
    "Incompletely observed outcomes are handled by a doubly robust transformation, or, for the "
    "time to an event, by jackknife pseudo-values of the restricted mean within options. A missing "
    "covariate is replaced by its mean in regressions and left missing in trees.",
    "The naive comparison of patients who received what a rule recommends with patients who did "
    "not is not shown: it rewards rules that know only the prognosis.",
)
REFERENCES = (
    "Robins JM, Rotnitzky A, Zhao LP. J Am Stat Assoc 1994;89:846 (AIPW).",
    "Chernozhukov V, and others. Econom J 2018;21:C1 (cross-fitting); NBER 24678 (heterogeneity).",
    "Nie X, Wager S. Biometrika 2021;108:299 (R-learner).",
    "Nychka D. J Am Stat Assoc 1988;83:1134 (intervals valid on average over patients).",
    "Crump RK, and others. Biometrika 2009;96:187 (trimming).",
    "Rubin DB, van der Laan MJ. Int J Biostat 2007;3:4; Andersen PK, and others. Lifetime Data "
    "Anal 2004;10:335 (incomplete follow-up).",
    "Yadlowsky S, and others. J Am Stat Assoc 2025 (RATE, AUTOC, Qini).",
    "van Klaveren D, and others. J Clin Epidemiol 2018;94:59; Xia Y, and others. Stat Med 2023 "
    "(c-for-benefit, and why it is a secondary measure).",
    "Calibration as a Brownian bridge: arXiv:2512.08140, here with signs resampled by patient.",
    "Vickers AJ, Kattan MW, Sargent DJ. Trials 2007;8:14 (decision curves).",
    "VanderWeele TJ, Ding P. Ann Intern Med 2017;167:268 (E-value).",
    "Tan Z. J Am Stat Assoc 2006;101:1619; Zhao Q, Small DS, Bhattacharya BB. J R Stat Soc B "
    "2019;81:735 (marginal sensitivity model).",
    "Collins GS, and others. BMJ 2024;385:e078378 (TRIPOD+AI).",
)


def describe_methods(content: EffectContent) -> tuple[str, ...]:
    """The paragraphs of the methods section."""
    rule = _SAVED_POLICY if content.is_saved_policy else _LEARNED_RULE
    filled = {
        "assumptions": _RANDOMISED if content.study.assignment.randomised else _OBSERVED,
        "propensity": content.propensity_model,
        "rule": rule,
    }
    paragraphs = (m.format(**filled) for m in _METHODS)
    return (*paragraphs, _count_analyses(content))


def _count_analyses(content: EffectContent) -> str:
    """How many results the page has, for readers who weigh multiple testing."""
    results = content.results
    options = len(results.verdict.overlap.options)
    return (
        f"Analysed here: {options} options, {len(content.covariates)} covariates that may modify "
        f"an effect, 1 outcome, {len(results.harms)} harms or costs, {len(results.subgroups)} "
        f"subgroups, {len(results.stability)} further runs. The verdict rests on one result, the "
        "interval of the gain; all others are descriptive. The authors must state what was planned "
        "before the data were seen."
    )
