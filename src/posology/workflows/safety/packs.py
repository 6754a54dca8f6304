"""Check knowledge packs of safety rules, and seal them after review."""

import datetime
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Group
from rich.table import Table
from rich.text import Text

from posology.cohorts.study.packs.read import checksum, parse_pack, read_body, read_pack
from posology.cohorts.study.packs.resolve import (
    DrugNames,
    check_dose_units,
    describe_pack,
    resolve_rules,
)
from posology.cohorts.study.packs.schema import PackFile
from posology.domain.formulary import Formulary, Treatment
from posology.domain.safety_rules.packs import conflicting_rules, is_expired
from posology.domain.safety_rules.rule import SafetyRule
from posology.domain.study import Study
from posology.records.io.drafts import write_whole
from posology.workflows.cohorts import as_study
from posology.workflows.results import Row, render_text, rows_to_table


@dataclass(frozen=True, slots=True)
class PackCheck:
    """What was found of knowledge packs; that they could be read is already much."""

    rows: list[Row]
    """One a pack: name, version, dates, licence, review, rules by kind, whether it is expired."""
    conflicts: tuple[str, ...]
    """Sentences: rules of two packs that say different things of the same drug."""
    without_rules: tuple[str, ...]
    """Options of the study that no rule concerns."""

    def to_frame(self) -> pa.Table:
        """The rows as an Arrow table."""
        return rows_to_table(self.rows)

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "packs": self.rows,
            "conflicts": list(self.conflicts),
            "options_without_rules": list(self.without_rules),
        }

    def summary(self) -> str:
        """Packs and conflicts as text."""
        return render_text(self.__rich__())

    def __rich__(self) -> Group:
        table = Table("pack", "version", "rules", "current until", "reviewed by", "licence")
        for row in self.rows:
            until = f"{row['expires']}, expired" if row["expired"] else row["expires"]
            reviewed = row["reviewed_by"] or "nobody"
            rules = str(row["rules"])
            table.add_row(row["name"], row["version"], rules, until, reviewed, row["licence"])
        sealed = [
            Text(f"{row['name']}: the content is as it was sealed (sha256 {row['sha256'][:12]}).")
            for row in self.rows
        ]
        lines = [Text(f"Conflict: {sentence}") for sentence in self.conflicts]
        if self.without_rules:
            lines.append(Text(f"No rule concerns: {', '.join(self.without_rules)}."))
        return Group(table, *sealed, *(lines or [Text("No conflicts.")]))


@dataclass(frozen=True, slots=True)
class SealResult:
    """A pack and its checksum."""

    path: str
    name: str
    version: str
    before: str
    """Checksum in the file before; empty if it had none."""
    sha256: str
    written: bool

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "pack": self.path,
            "name": self.name,
            "version": self.version,
            "sha256_before": self.before,
            "sha256": self.sha256,
            "written": self.written,
        }

    def __rich__(self) -> Text:
        if self.before == self.sha256:
            return Text(f"{self.path}: is sealed already ({self.sha256[:12]}...).")
        done = "sealed" if self.written else "would be sealed (dry run)"
        return Text(f"{self.path}: {self.name} {self.version} {done}, sha256 {self.sha256}.")


def check_packs(packs: list[Path], study: str | Path | Study | None = None) -> PackCheck:
    """Read packs, and compare their rules for the options of a study, or for all their drugs."""
    files = [read_pack(path) for path in packs]
    formulary = _all_drugs(files) if study is None else as_study(study).formulary
    drugs = DrugNames(formulary, {})
    today = datetime.datetime.now(datetime.UTC).date()
    rules: list[SafetyRule] = []
    rows: list[Row] = []
    for path, pack in zip(packs, files, strict=True):
        own = resolve_rules(pack, drugs)
        if study is not None:
            check_dose_units(own, formulary, str(path))
        rules += own
        rows.append(_row(path, pack, len({rule.name for rule in own}), today))
    concerned = {option for rule in rules for option in rule.options}
    titles = {t.name: t.title for t in formulary.treatments}
    without = () if study is None else tuple(x for n, x in titles.items() if n not in concerned)
    return PackCheck(rows, tuple(dict.fromkeys(_conflicts(rules, titles))), without)


def seal_pack(path: Path, dry_run: bool = False) -> SealResult:
    """Write the checksum of a pack's content into it; StudyError if the content is no pack."""
    body = read_body(path)
    pack = parse_pack(body, str(path))
    before, after = pack.sha256, checksum(body)
    changed = before != after and not dry_run
    if changed:
        body["sha256"] = after
        text = json.dumps(body, indent=1, ensure_ascii=False) + "\n"
        write_whole(path, text)
    return SealResult(str(path), pack.name, pack.version, before, after, changed)


def _row(path: Path, pack: PackFile, concerning: int, today: datetime.date) -> Row:
    kinds = Counter(rule.kind for rule in pack.rules)
    return {
        "file": str(path),
        "name": pack.name,
        "title": pack.title,
        "version": pack.version,
        "date": pack.date.isoformat(),
        "expires": pack.expires.isoformat(),
        "expired": is_expired(describe_pack(pack), today),
        "licence": pack.licence,
        "source": pack.source,
        "reviewed_by": pack.reviewed_by,
        "sha256": pack.sha256,
        "rules": len(pack.rules),
        "rules_that_concern_the_study": concerning,
        "by_kind": dict(kinds),
    }


def _all_drugs(packs: list[PackFile]) -> Formulary:
    """Each drug of the packs as an option of its own, called by its first name in a pack."""
    titles: dict[str, str] = {}
    for pack in packs:
        for name, codes in pack.drugs.items():
            for code in codes:
                titles.setdefault(code, name if len(codes) == 1 else f"{name} ({code})")
    return Formulary(tuple(Treatment(code, title, (code,)) for code, title in titles.items()))


def _conflicts(rules: list[SafetyRule], titles: dict[str, str]) -> list[str]:
    return [
        f"{first.pack}: {first.name} and {second.pack}: {second.name} say different things of "
        f"{', '.join(sorted(titles[o] for o in set(first.options) & set(second.options)))} "
        f"({first.effect} and {second.effect}) if both apply."
        for first, second in conflicting_rules(rules)
    ]
