"""The content of a Table 1 page with synthetic patients."""

import numpy as np

from posology.evaluation.table1.calibration import assess_calibration
from posology.evaluation.table1.comparison import compare_models
from posology.evaluation.table1.subgroups import Subgroup, find_subgroups, score_subgroups
from posology.report.table1.content import CaseOption, CaseStudy, Table1Content
from tests.builders import scored_cohorts

HOSTILE = """<script>alert("x")</script><img src=http://evil/x onerror='y'>{{ 7 * 7 }}$\\frac{1}$"""


def table1_content(text: str = "plain") -> Table1Content:
    """Content whose every free text is `text`."""
    rng = np.random.default_rng(0)
    cohort = scored_cohorts.make_cohort(rng, 120)
    noise = {"posology": 1.0, "posology_paper": 1.5, "fixed": 9.0, text: 2.0}
    answers = {model: scored_cohorts.make_predictions(rng, cohort, z) for model, z in noise.items()}
    ours = answers["posology"]
    groups = (*find_subgroups(cohort), Subgroup(text, text, np.arange(120) < 12))
    case = CaseStudy(
        title=text,
        facts=((text, text), ("Age", "60 to 69 years")),
        options=(CaseOption(text, 0.81), CaseOption("high", 0.19)),
        dose=f"14.5 {text}",
        truth=text,
        reasons=(f"Without {text} the dose would be 27.3 mg/week.",),
    )
    epochs = [{"epoch": i + 1, "train_loss": 1 / (i + 1), text: 3.0 + i} for i in range(5)]
    return Table1Content(
        study=cohort.study,
        cohort=cohort,
        predictions=answers,
        table=compare_models(answers, cohort, rng, replicates=100),
        evidence=text,
        calibration=assess_calibration(
            ours.effectiveness, cohort.best_treatment, cohort.subject, rng, 50
        ),
        groups=score_subgroups(ours, cohort, groups, ["mae", "accuracy"], rng, 50),
        other_splits=(compare_models(answers, cohort, rng, split="site", replicates=100),),
        learning=((text, epochs),),
        cases=(case, case, case),
        methods=(text,),
        references=(text,),
        attribution=text,
        rejected_rows=((text, 212), ("no stable dose", 1125)),
        footer=((text, text), ("version", "0.1.0")),
    )
