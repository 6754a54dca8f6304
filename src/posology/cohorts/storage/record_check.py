"""What a study names and the records lack: codes without events, units other than declared."""

from pathlib import Path

from posology.cohorts.events.chunks import count_units
from posology.cohorts.events.kidney import kidney_codes
from posology.cohorts.study.named_codes import check_codes_occur, codes_without_events
from posology.cohorts.study.unit_check import UnitCounts, check_units, compare_units
from posology.domain.study import Study
from posology.records.meds_dataset import read_code_units


def check_records(
    events: Path, files: list[Path], codes: tuple[str, ...], study: Study
) -> dict[str, list[dict]]:
    """As JSON: `units` declared and seen, `missing_codes` that no event has.

    codes: all of the files. StudyError if the study cannot be built from them: a code of decision,
    outcome or treatments is missing, or numbers have another unit than the study declares.
    """
    check_codes_occur(codes, study)
    units = compare_units(_units(events, files), study)
    check_units(units, study)
    computed = (*kidney_codes(study), *(formula.event for formula in study.profile.refit))
    return {"units": units, "missing_codes": codes_without_events((*codes, *computed), study)}


def _units(events: Path, files: list[Path]) -> UnitCounts:
    """Numbers by code and unit; the unit of the code's metadata where the events have none."""
    of_code = read_code_units(events) if events.is_dir() else {}
    counts: dict[tuple[str, str], int] = {}
    for (code, unit), count in count_units(files).items():
        key = code, unit or of_code.get(code) or ""
        counts[key] = counts.get(key, 0) + count
    return counts
