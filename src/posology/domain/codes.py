"""Codes (`FAMILY//name//value`, as in MEDS), their prefixes, and their names in words.

The name of a code is the study file's, else the records', else one made of the code.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from posology.language.catalogue import tr

Names = Sequence[tuple[str, str]]
"""Codes, or prefixes of codes, each with its name in words."""

_OPAQUE = re.compile(r"[A-Z]{0,2}\d[\dA-Z.\-]+")
_KNOWN = {
    "MEDS_BIRTH": "birth",
    "MEDS_DEATH": "death",
    "OBSERVATION_PERIOD//START": "the start of observation",
    "OBSERVATION_PERIOD//END": "the end of observation",
}
_SYSTEMS = ("SNOMED", "LOINC", "RxNorm", "ATC", "ICD10", "ICD10CM", "ICD9CM")
_CODE_FIELDS = frozenset(
    {
        *("codes", "eligible", "excluded", "unless", "competing", "visible"),
        *("ended_by", "observed_by", "weighted_by", "creatinine", "female", "weight"),
    }
)
"""Fields of a study and its parts that hold codes."""


def has_prefix(code: str, prefix: str) -> bool:
    """Whether a code is the prefix, or continues it after `//`."""
    if not code.startswith(prefix):
        return False
    return len(code) == len(prefix) or code.startswith("//", len(prefix))


@lru_cache(maxsize=64)
def vocabulary_rows(vocabulary: tuple[str, ...]) -> Mapping[str, int]:
    """Row of each code of a vocabulary."""
    return MappingProxyType({code: row for row, code in enumerate(vocabulary)})


@lru_cache(maxsize=64)
def rows_by_prefix(vocabulary: tuple[str, ...]) -> Callable[[tuple[str, ...]], frozenset[int]]:
    """What gives the rows of a vocabulary whose codes have any of some prefixes.

    Of many questions about one vocabulary, only the first takes the time to hash it.
    """

    @lru_cache(maxsize=4096)
    def rows(prefixes: tuple[str, ...]) -> frozenset[int]:
        return frozenset(
            row
            for row, code in enumerate(vocabulary)
            if code.startswith(prefixes) and any(has_prefix(code, p) for p in prefixes)
        )

    return rows


def matching_rows(vocabulary: tuple[str, ...], prefixes: tuple[str, ...]) -> frozenset[int]:
    """Rows of the vocabulary whose codes have any of the prefixes."""
    return rows_by_prefix(vocabulary)(prefixes)


def display_name(code: str, names: Names) -> str:
    """The code in words; never with `//`.

    The name of the code or of its longest named prefix, followed by the rest of the code; without
    one, words made of the code: `GENOTYPE//CYP2C9//*1/*3` becomes `genotype CYP2C9: *1/*3`.
    """
    return given_name(code, names) or words_of_code(code)


def display_names(codes: Sequence[str], names: Names) -> str:
    """Several codes that mean the same to the study: `heart failure or death`."""
    return f" {tr('or')} ".join(dict.fromkeys(display_name(code, names) for code in codes))


def given_name(code: str, names: Names) -> str:
    """The name of the code or of its longest named prefix; "" if it has none."""
    named = [pair for pair in names if code.startswith(pair[0]) and has_prefix(code, pair[0])]
    if not named:
        return ""
    prefix, name = max(named, key=lambda pair: len(pair[0]))
    rest = code[len(prefix) :].strip("/").replace("//", " ")
    return f"{name}: {rest}" if rest else name


def without_system(name: str) -> str:
    """A name without the vocabulary of its values: not `smoking: SNOMED` but `smoking`."""
    head, _, system = name.rpartition(": ")
    return head if head and system in _SYSTEMS else name


def words_of_code(code: str) -> str:
    """Words made of a code without a name."""
    if code in _KNOWN:
        return _KNOWN[code]
    family, *rest = code.split("//")
    rest = [part.replace("_", " ") for part in rest]
    words = " ".join([_KNOWN.get(family, family.replace("_", " ").lower()), *rest[:1]])
    return f"{words}: {' '.join(rest[1:])}" if len(rest) > 1 else words


def needs_name(code: str, names: Names) -> bool:
    """Whether nobody could read the code: it ends in a vocabulary's number, and has no name."""
    return _OPAQUE.fullmatch(code.split("//")[-1]) is not None and not given_name(code, names)


def add_descriptions(
    names: Names, codes: Sequence[str], descriptions: Mapping[str, str | None]
) -> tuple[tuple[str, str], ...]:
    """The names, and after them the records' description of each code that has no name."""
    described = {
        code: text
        for code in codes
        if not given_name(code, names) and (text := _describe(code, descriptions))
    }
    return (*names, *described.items())


def _describe(code: str, descriptions: Mapping[str, str | None]) -> str:
    """Description of a code, or of the only described text of the codes that continue it."""
    own = descriptions.get(code)
    if own:
        return own
    texts = {text for other, text in descriptions.items() if text and has_prefix(other, code)}
    return texts.pop() if len(texts) == 1 else ""


def study_codes(study: object) -> tuple[str, ...]:
    """Every code that a study names: of decisions, options, outcomes, harms, rules and safety.

    Not those of knowledge packs, which name their facts themselves.
    """
    return tuple(dict.fromkeys(_codes_in(study)))


def _codes_in(value: object) -> Iterator[str]:
    if isinstance(value, tuple):
        for item in value:
            yield from _codes_in(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            content = getattr(value, field.name)
            if field.name in _CODE_FIELDS:
                yield from content
            elif field.name != "safety_packs":
                yield from _codes_in(content)
