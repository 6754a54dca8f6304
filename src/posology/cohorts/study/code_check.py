"""A study's codes against the events at hand: one that occurs nowhere is told early."""

import difflib

from posology.domain.codes import has_prefix
from posology.domain.study import Study
from posology.errors import StudyError


def check_codes_occur(codes: tuple[str, ...], study: Study) -> None:
    """Raise StudyError for the first code the study stands on that no event has."""
    asked = [("[decision] codes", code) for code in study.decision.codes]
    asked += [("[outcome] codes", code) for code in study.outcome.codes]
    asked += [(f"treatment {t.name}", code) for t in study.formulary.treatments for code in t.codes]
    for place, code in asked:
        if not any(has_prefix(known, code) for known in codes):
            near = difflib.get_close_matches(code, codes, n=1, cutoff=0.5)
            mend = f"did you mean `{near[0]}`?" if near else "are these the right events?"
            raise StudyError(f"study {study.name}: {place}: no event has the code `{code}`; {mend}")
