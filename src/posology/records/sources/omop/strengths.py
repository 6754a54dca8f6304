"""What a unit of each drug holds of each ingredient, as OMOP's table drug_strength says."""

import ibis
import ibis.expr.types as ir

from posology.records.sources.omop.columns import positive, read_integer, read_number, read_text
from posology.records.sources.omop.concepts import HOUR


def read_strengths(table: ir.Table) -> ir.Table:
    """One row for each drug and ingredient.

    Rows that the vocabulary replaced are left out of a drug that has another: counted too, they
    would be a second dose of the ingredient. A drug of a former vocabulary has only these.
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
        is_current=ibis.ifelse(read_text(table, "invalid_reason").isnull(), 1, 0),
    )
    of_drug = strengths.is_current.max().over(group_by="strength_drug")
    return (
        strengths.mutate(has_current=of_drug)
        .filter(lambda t: t.is_current == t.has_current)
        .drop("is_current", "has_current")
        .distinct()
    )
