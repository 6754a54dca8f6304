"""Prefetch templates: their tokens, and the subset of FHIR queries that is recommended."""

import re
from urllib.parse import parse_qsl

from posology.conformance.calls.hooks import HOOKS, USER_IDENTIFIERS
from posology.conformance.calls.transcript import Service
from posology.conformance.checks.values import is_text, show
from posology.conformance.ledger import Ledger
from posology.records.sources.fhir.search import TOKEN

_PATH = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*")
_TYPE = re.compile(r"[A-Z][A-Za-z]+")
_COMPARED = re.compile(r"(eq|lt|gt|ge|le|ne|sa|eb|ap)(?=\d{4}|\{\{)")
_PLAIN = frozenset({"_count", "_sort"})
_MODIFIERS = frozenset({"in"})
_BAD_PREFIXES = frozenset({"ne", "sa", "eb", "ap"})


def check_templates(ledger: Ledger, service: Service, where: str) -> None:
    """The templates of one service."""
    prefetch = service["prefetch"]
    if not ledger.expect(
        "cds-29", isinstance(prefetch, dict), where, f"prefetch is {show(prefetch)}"
    ):
        return
    for key, template in prefetch.items():
        place = f"{where}, prefetch {key!r}"
        ledger.expect("cds-36", is_text(key), place, "the key is empty")
        if not ledger.expect(
            "cds-29", is_text(template), place, f"the template is {show(template)}"
        ):
            continue
        _check_tokens(ledger, template, str(service.get("hook")), place)
        odd = outside_subset(template)
        ledger.expect("cds-58", not odd, place, odd)


def _check_tokens(ledger: Ledger, template: str, hook: str, place: str) -> None:
    rest = TOKEN.sub("", template)
    ledger.expect(
        "cds-55",
        not re.search(r"[{}]|%7[BbDd]", rest),
        place,
        f"a brace outside a token in {show(template)}",
    )
    for token in TOKEN.findall(template):
        _check_token(ledger, token, hook, place)


def _check_token(ledger: Ledger, token: str, hook: str, place: str) -> None:
    text = "{{" + token + "}}"
    known = HOOKS.get(hook)
    if token in USER_IDENTIFIERS:
        ledger.expect("cds-56", True, place, "")
        return
    root = token.removeprefix("context.").split(".")[0]
    fields = known.single | known.structured if known else frozenset()
    if not token.startswith("context."):
        is_field = root in fields and _PATH.fullmatch(token) is not None
        if is_field:
            ledger.expect("cds-59", False, place, f"{text} lacks context.")
        else:
            ledger.expect("cds-56", False, place, f"{text} names no field of the context")
        return
    ledger.expect("cds-59", True, place, "")
    is_path = _PATH.fullmatch(token) is not None
    is_known = known is None or root in fields
    if not ledger.expect("cds-56", is_path and is_known, place, f"{text} names no field of {hook}"):
        return
    is_single = token.count(".") == 1 and not (known and root in known.structured)
    ledger.expect("cds-57", is_single, place, f"{text} is no root field with one value")


def outside_subset(template: str) -> str:
    """What of a query goes beyond the recommended subset; empty where nothing does."""
    path, _, search = TOKEN.sub("1", template).partition("?")
    parts = path.strip("/").split("/")
    if not _TYPE.fullmatch(parts[0]) or len(parts) > 2 or (len(parts) == 2 and search):
        return f"{show(path)} is neither a read nor a search of one type"
    for name, value in parse_qsl(search, keep_blank_values=True):
        plain, _, modifier = name.partition(":")
        if modifier and modifier not in _MODIFIERS:
            return f"the modifier :{modifier}"
        if "." in plain:
            return f"the chained parameter {plain}"
        if plain.startswith("_") and plain not in _PLAIN | {"_id"}:
            return f"the parameter {plain}"
        prefix = _COMPARED.match(value)
        if prefix and prefix.group(1) in _BAD_PREFIXES:
            return f"the prefix {prefix.group(1)}"
    return ""
