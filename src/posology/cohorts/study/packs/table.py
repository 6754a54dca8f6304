"""The table `[safety_packs]` of a study file: which packs, and what if facts or packs are old."""

import datetime
from pathlib import Path

from posology.cohorts.study.error_messages import unknown_name_message
from posology.cohorts.study.packs.read import read_pack
from posology.cohorts.study.packs.resolve import (
    DrugNames,
    check_dose_units,
    describe_pack,
    resolve_rules,
)
from posology.cohorts.study.packs.schema import PackFile
from posology.cohorts.study.schema import SafetyPacksSection
from posology.domain.formulary import Formulary
from posology.domain.safety_rules.packs import is_expired
from posology.domain.safety_rules.rule import REFUSE_EXPIRED, SafetyRule, SafetySpec
from posology.errors import StudyError


def safety_spec(table: SafetyPacksSection | None, formulary: Formulary, where: str) -> SafetySpec:
    """The packs of a study, read from files beside the study file, with the rules it needs."""
    if table is None:
        return SafetySpec()
    place = f"{where}: [safety_packs]"
    packs = [read_pack(Path(where).parent / name) for name in table.packs]
    names = [pack.name for pack in packs]
    if len(set(names)) < len(names):
        raise StudyError(f"{place} two packs are called {max(names, key=names.count)}; keep one.")
    for options in table.drugs.values():
        for option in options:
            if option not in formulary.names:
                message = unknown_name_message(f"{place} option", option, list(formulary.names))
                raise StudyError(message)
    drugs = DrugNames(formulary, {name: tuple(own) for name, own in table.drugs.items()})
    rules: list[SafetyRule] = []
    for pack, name in zip(packs, table.packs, strict=True):
        own = resolve_rules(pack, drugs)
        check_dose_units(own, formulary, str(Path(where).parent / name))
        rules += own
    described = tuple(describe_pack(pack) for pack in packs)
    if table.on_expired == REFUSE_EXPIRED:
        _check_current(packs, place)
    return SafetySpec(described, tuple(rules), table.on_unknown, table.on_expired)


def _check_current(packs: list[PackFile], place: str) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    for pack in packs:
        if is_expired(describe_pack(pack), today):
            raise StudyError(
                f"{place} pack {pack.name} {pack.version} expired on {pack.expires}, and "
                '`on_expired` is "refuse"; review it and seal it with a later date, or write '
                'on_expired = "warn".'
            )
