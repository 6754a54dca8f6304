"""Names of months in languages other than English, as dates in tables write them."""

import re

MONTHS: dict[str, tuple[str, ...]] = {
    "polish": (
        "stycznia|styczeń|styczen|sty",
        "lutego|luty|lut",
        "marca|marzec|mar",
        "kwietnia|kwiecień|kwiecien|kwi",
        "maja|maj",
        "czerwca|czerwiec|cze",
        "lipca|lipiec|lip",
        "sierpnia|sierpień|sierpien|sie",
        "września|wrzesnia|wrzesień|wrzesien|wrz",
        "października|pazdziernika|październik|pazdziernik|paź|paz",
        "listopada|listopad|lis",
        "grudnia|grudzień|grudzien|gru",
    ),
    "german": (
        "januar|jänner|jan",
        "februar|feber|feb",
        "märz|maerz|mrz|mär",
        "april|apr",
        "mai",
        "juni|jun",
        "juli|jul",
        "august|aug",
        "september|sept|sep",
        "oktober|okt",
        "november|nov",
        "dezember|dez",
    ),
}
"""By language: the spellings of each month, in lower case, the longest first (Unicode CLDR, wide
and abbreviated, in both grammatical forms; and without diacritics)."""


def month_numbers_sql(cell: str, language: str) -> str:
    """SQL (DuckDB) for the text with the number of the month, 01 to 12, instead of its name."""
    text = f"lower({cell})"
    for number, names in enumerate(MONTHS[language], start=1):
        whole = rf"(^|[^\p{{L}}])({names})[.]?($|[^\p{{L}}])"
        text = rf"regexp_replace({text}, '{whole}', '\1{number:02d}\3')"
    return text


def month_numbers(text: str, language: str) -> str:
    """The same text in Python."""
    text = text.lower()
    for number, names in enumerate(MONTHS[language], start=1):
        text = re.sub(rf"(?<![^\W\d_])({names})(?![^\W\d_])[.]?", f"{number:02d}", text)
    return text


def numeric_format(time_format: str) -> str:
    """The format of such a text: %m for the name of a month."""
    return time_format.replace("%B", "%m").replace("%b", "%m").replace("%h", "%m")


def guess_language(texts: list[str]) -> str | None:
    """The language whose month names all of the texts have; None if there is none."""
    for language, names in MONTHS.items():
        known = [name for spellings in names for name in spellings.split("|")]
        words = [
            [word.strip(".,") for word in text.lower().replace("-", " ").split()] for text in texts
        ]
        if texts and all(any(word in known for word in line) for line in words):
            return language
    return None
