"""Which orders the demonstration's studies are about."""

from dataclasses import replace

from posology.service.settings import Settings

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
DRUG_NAMES = {"11289": "warfarin"}
"""Names of RxNorm ingredients."""
ORDER_CODES = {"iwpc": (f"{RXNORM}|11289",)}
"""By study: orders that it is about, where its options have no codes of drugs. Without them an
order of any drug would bring a card."""


def with_demo_orders(settings: Settings, studies: dict[str, str]) -> Settings:
    """The settings of a demonstration with the orders of its studies, beside those it names.

    Args:
        studies: of each model's name, the name of its study.
    """
    hooks = settings.cds_hooks
    known = {m: ORDER_CODES[s] for m, s in studies.items() if s in ORDER_CODES}
    return replace(settings, cds_hooks=replace(hooks, order_codes={**known, **hooks.order_codes}))
