"""What `posology outcomes add` says."""

from posology.service.returning.add_outcomes import IMPOSSIBLE, Added
from posology.service.returning.linking import AHEAD, BEFORE, LATER, NOBODY

_REASONS = {
    NOBODY: "nobody asked about the patient",
    BEFORE: "observed before any answer",
    LATER: "after the study's window of the last answer",
    AHEAD: "dated after today: mend the date",
    IMPOSSIBLE: "the value or its unit cannot be right",
}


def describe(added: Added) -> str:
    """Counts in a few lines; no patient."""
    verbs = ("Would be kept", "would be corrected") if added.dry_run else ("Kept", "corrected")
    kept, corrected, known = (added.results.get(n, 0) for n in ("kept", "corrected", "known"))
    lines = [f"{verbs[0]}: {kept:,}; {verbs[1]}: {corrected:,}; known before: {known:,}."]
    words = ", ".join(f"{count:,} {name}" for name, count in sorted(added.linked.items()))
    lines.append(f"Linked, by what became of the recommendation: {words or 'none'}.")
    for reason, count in sorted(added.unlinked.items()):
        lines.append(f"Not linked: {count:,}, {_REASONS[reason]}.")
    if added.missing:
        lines.append(f"Missing: {added.missing:,} answers whose window is over have no outcome.")
    if added.dry_run:
        lines.append("Nothing is kept: this is a dry run.")
    return "\n".join(lines)
