"""What of a German page or text is left in English."""

import html
import re
from collections.abc import Iterator

from posology.domain.study import Study

ENGLISH_WORDS = re.compile(
    r"\b(the|and|of|is|are|were|with|for|this|that|which|from|than|its|known|recorded|patients"
    r"|dose|not|years|between|without|before|after|only|model|age|sex|weight|height|yes)\b"
)


def study_words(study: Study) -> Iterator[str]:
    """Texts that are the study's own, longest first, as none of them is translated."""
    words = [study.title, study.purpose, study.not_for, "not for"]
    words += [name for _, name in study.names]
    words += [t.title for t in study.formulary.treatments]
    words += [t.title.partition(",")[0] for t in study.formulary.treatments]
    words += [text for rule in study.rules for text in (rule.words, rule.source, rule.title)]
    return iter(sorted({w.strip(" .").casefold() for w in words if w}, key=len, reverse=True))


def english_left(text: str, study: Study) -> list[str]:
    """Where English words stand that are not the study's."""
    plain = " ".join(html.unescape(text).casefold().split())
    for own in study_words(study):
        plain = plain.replace(own, "·")
    return [plain[max(0, m.start() - 40) : m.end() + 40] for m in ENGLISH_WORDS.finditer(plain)]


def visible(page: str) -> str:
    """What a reader or a screen reader has of a page, but for what it says is in English."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.S)
    body = re.sub(r'<(\w+)\b[^>]* lang="en"[^>]*>.*?</\1>', "", body, flags=re.S)
    labels = " ".join(re.findall(r'(?:aria-label|data-th)="([^"]*)"', body))
    return f"{re.sub('<[^>]+>', ' ', body)} {labels}"
