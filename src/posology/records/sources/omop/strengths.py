"""What a unit of each drug holds of each ingredient, as OMOP's table drug_strength says."""

import ibis
import ibis.expr.types as ir

from posology.records.sources.omop.columns import (
    positive,
    read_integer,
    read_number,
    read_text,
    read_timestamp,
)
from posology.records.sources.omop.concepts import HOUR

NO_VALID_STRENGTH = (
    "has no valid strength in this drug, whose other ingredients have one, so that it gave no dose "
    "a day: if the drug holds it, clear invalid_reason of its row in drug_strength"
)


def read_strengths(table: ir.Table) -> ir.Table:
    """One row for each drug and ingredient.

    Rows that the vocabulary replaced are left out of a drug that has another: counted too, they
    would be a second dose of the ingredient, or of the one that took its place. Valid rows name
    each active ingredient (OMOP CDM 5.4), so that another one is_lost, without numbers. A drug of a
    former vocabulary has only replaced rows: of each ingredient the latest ones count.
    """
    strengths = table.select(
        strength_drug=read_integer(table, "drug_concept_id"),
        ingredient=read_integer(table, "ingredient_concept_id"),
        amount=read_number(table, "amount_value"),
        numerator=read_number(table, "numerator_value"),
        denominator=read_number(table, "denominator_value").fill_null(1.0),
        per_hour=read_integer(table, "denominator_unit_concept_id").isin([HOUR]),
        dose_unit=ibis.coalesce(
            positive(read_integer(table, "amount_unit_concept_id")),
            read_integer(table, "numerator_unit_concept_id"),
        ),
        is_valid=read_text(table, "invalid_reason").isnull(),
        end=read_timestamp(table, "valid_end_date"),
    )
    part = ("strength_drug", "ingredient")
    known = strengths.mutate(
        of_drug=strengths.is_valid.any().over(group_by="strength_drug"),
        of_part=strengths.is_valid.any().over(group_by=part),
        last=strengths.end.max().over(group_by=part),
    ).mutate(is_lost=lambda t: t.of_drug & ~t.of_part)
    is_latest = ~known.of_drug & (known.end.isnull() | (known.end == known.last))
    kept = known.filter(known.is_valid | known.is_lost | is_latest)
    numbers = {
        name: ibis.ifelse(kept.is_lost, None, kept[name])
        for name in ("amount", "numerator", "denominator", "per_hour", "dose_unit")
    }
    return kept.select(*part, "is_lost", **numbers).distinct()
