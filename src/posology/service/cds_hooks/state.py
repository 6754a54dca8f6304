"""What the CDS Hooks services of one application hold: a client, and each model's queries."""

from dataclasses import dataclass, field

import httpx

from posology.artifact import Artifact
from posology.language.catalogue import tr
from posology.service.cds_hooks.queries import Query, make_queries
from posology.service.cds_hooks.settings import CdsHooksSettings
from posology.service.deployment import Deployment
from posology.service.fhir.client import FhirAccess, make_client, same_server
from posology.service.fhir.medication_request import Drug
from posology.workflows.patient import form_of

_NAME = "cds_hooks"


@dataclass(slots=True)
class HooksState:
    """One for each application."""

    settings: CdsHooksSettings
    client: httpx.AsyncClient
    queries: dict[str, tuple[Query, ...]] = field(default_factory=dict)
    """By the digest of the model: a hot swap brings its own."""

    def queries_of(self, model: Artifact) -> tuple[Query, ...]:
        """The prefetch templates of a model."""
        if model.digest not in self.queries:
            made = make_queries(
                model.study, form_of(model), self.settings.code_systems, self.settings.page_size
            )
            self.queries[model.digest] = made
        return self.queries[model.digest]

    def access(self, server: str | None, token: str | None) -> FhirAccess | str:
        """The FHIR server of a call; or why nothing may be fetched from it."""
        if server is None or token is None:
            return tr("no fhirServer with fhirAuthorization was sent")
        if not any(same_server(server, one) for one in self.settings.fhir_servers):
            return tr("the fhirServer is not on the service's list")
        return FhirAccess(self.client, server.rstrip("/"), token, self.settings.limits)

    def drug_of(self, model: str) -> Drug | None:
        """The drug of a model whose answer is a dose, by the settings."""
        codes = self.settings.order_codes.get(model, ())
        if not codes:
            return None
        system, _, code = codes[0].rpartition("|")
        return Drug(system, code, model) if system and code else None


def hooks_state(deployment: Deployment) -> HooksState:
    """The state of this deployment, made when it is first needed."""
    state = deployment.extra.get(_NAME)
    if not isinstance(state, HooksState):
        state = HooksState(deployment.settings.cds_hooks, make_client())
        deployment.extra[_NAME] = state
    return state
