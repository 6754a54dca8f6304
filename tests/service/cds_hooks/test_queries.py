import re
from dataclasses import replace

from posology.advice.form.build import build_study_form
from posology.service.cds_hooks.queries import make_queries
from tests.builders.hook_calls import study


def _queries(systems: dict[str, str] | None = None) -> dict[str, tuple[str, bool]]:
    queries = make_queries(study(), build_study_form(study()), systems or {}, 250)
    return {query.key: (query.template, query.is_needed) for query in queries}


def test_the_templates_are_what_the_study_reads() -> None:
    of_patient = "patient={{context.patientId}}&_count=250"
    assert _queries() == {
        "patient": ("Patient/{{context.patientId}}", True),
        "conditions": (f"Condition?{of_patient}", True),
        "allergies": (f"AllergyIntolerance?{of_patient}", True),
        "medicationRequests": (f"MedicationRequest?{of_patient}", True),
        "observationsNeeded": (
            f"Observation?{of_patient}&_sort=-date&code=http://loinc.org|6301-6",
            True,
        ),
        "observations": (
            f"Observation?{of_patient}&_sort=-date&code=http://loinc.org|69548-6,"
            "http://loinc.org|84413-4,http://loinc.org|98979-8",
            False,
        ),
    }


def test_a_local_code_system_is_asked_for_where_its_address_is_set() -> None:
    template = _queries({"CLINIC": "https://clinic.example/codes"})["observations"][0]
    assert template.endswith(",https://clinic.example/codes|diet")


def test_templates_use_only_tokens_and_searches_that_the_specification_recommends() -> None:
    for template, _ in _queries().values():
        assert set(re.findall(r"{{(.*?)}}", template)) == {"context.patientId"}
        names = set(re.findall(r"[?&]([\w:-]+)=", template))
        assert names <= {"patient", "code", "_count", "_sort"}


def test_a_long_list_of_codes_becomes_several_searches() -> None:
    form = build_study_form(study())
    codes = frozenset(f"MEASUREMENT//LOINC//{number}-1" for number in range(1000, 1200))
    queries = make_queries(study(), replace(form, codes=codes), {}, 250)
    found = [query for query in queries if query.kind == "Observation" and not query.is_needed]
    keys = ["observations", "observations2", "observations3", "observations4"]
    assert [query.key for query in found] == keys
    assert max(len(query.template) for query in found) < 1_700
    assert sum(query.template.count("loinc") for query in found) == 200


def test_each_end_of_a_drug_code_is_its_own_resource() -> None:
    form = build_study_form(study())
    codes = frozenset({"DRUG//RXNORM//9//given", "DRUG//RXNORM//9//reported"})
    kinds = {query.kind for query in make_queries(study(), replace(form, codes=codes), {}, 9)}
    assert {"MedicationAdministration", "MedicationStatement"} <= kinds
    assert "MedicationRequest" not in kinds
