"""What cards are made of."""

import datetime
from dataclasses import dataclass

from posology.domain.recommendation.recommendation import Recommendation
from posology.domain.study import Study
from posology.service.cds_hooks.orders import Orders
from posology.service.cds_hooks.requests import HookCall
from posology.service.fhir.medication_request import Drug


@dataclass(frozen=True, slots=True)
class CardInputs:
    """One answer, and the call that it answers."""

    answer: str
    """Id of the answer."""
    model: str
    """Name of the model in the settings."""
    made_at: datetime.datetime
    advice: Recommendation
    study: Study
    call: HookCall
    orders: Orders
    url: str
    """Address of the service, without a slash at the end."""
    drug: Drug | None = None
    """Of a study whose answer is the dose of one drug."""
    not_there: tuple[str, ...] = ()
    """Sentences about what was not available."""
    is_demo: bool = False
    is_signed: bool = True
    has_launch: bool = False
    """Whether the record system can launch the page by SMART."""
