"""The monitoring pages in German; the store and what is compared stay in English."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi import FastAPI

from posology import artifact
from posology.advice.form.training_facts import EVIDENCE as FACTS
from posology.advice.form.training_facts import measure_facts
from posology.domain.serialization import serialize
from posology.language.catalogue import GERMAN, in_language, tr
from posology.lifecycle.monitoring.verdict import MonitorMonth, Verdict
from posology.lifecycle.monitoring.words import WHAT_TO_DO, monitor_name, unit_of
from posology.service.followed_outcomes import DoseError, Followed, Prediction
from posology.service.identity.callers import ADMINISTRATOR, DATA_SCIENTIST
from posology.service.models.switching import start
from posology.service.monitors.cases import reference_of
from posology.service.pages.monitoring.challenger import challenger_part
from posology.service.pages.monitoring.checks import check_groups, headline
from posology.service.pages.monitoring.content import ModelState, page_headline
from posology.service.pages.monitoring.followed import followed_part
from posology.service.pages.monitoring.monitors import verdict_words
from posology.service.pages.monitoring.weeks import WEEKS, Use
from posology.service.settings import Settings
from posology.service.shadow.comparison import Comparison, DoseDifference, Latency
from posology.service.shadow.followed_pairs import DoseErrors, Mean, OutcomeComparison
from posology.service.shadow.groups import GroupDifference
from posology.service.shadow.shares import Share
from tests.builders.challengers import app_with_challenger
from tests.builders.german import english_left, visible
from tests.builders.model_evidence import ERRORS
from tests.builders.pages import Browser, signed_in
from tests.builders.policies import iwpc_cohort
from tests.builders.sample_pages import fill
from tests.builders.service import deployment_of
from tests.service.pages.monitoring.test_checks import steady
from tests.service.test_monitors import store_answers
from tests.workflows.monitoring.test_monitor import saved

PAGE = "/monitoring/warfarin"
HALF = Share(1500, 3000, 50.0, 48.2, 51.8)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    folder, model = tmp_path_factory.mktemp("german"), saved()
    evidence = model.evidence | {FACTS: serialize(measure_facts(iwpc_cohort()), {})}
    artifact.save(model.policy, model.study, evidence, folder / "model")
    other = replace(model.study, title="Another")
    artifact.save(model.policy, other, evidence, folder / "other")
    settings = Settings((), allow_unsigned=True, languages=("en", "de"))
    service = folder / "service"
    with app_with_challenger(folder / "model", folder / "other", service, settings) as running:
        asyncio.run(start(deployment_of(running)))
        store_answers(running, 300, 110.0)
        fill(running)
        yield running


def left_in_english(browser: Browser) -> list[str]:
    assert browser.page is not None
    assert '<html lang="de">' in browser.page.text
    study = deployment_of(browser.app).models.find("warfarin").artifact.study
    return english_left(visible(browser.page.text), study)


def test_nothing_of_the_page_is_left_in_english(app: FastAPI) -> None:
    browser = signed_in(app, DATA_SCIENTIST, language="de")
    browser.get(f"{PAGE}?verify=1")
    assert left_in_english(browser) == []
    text = browser.text
    assert "Überwachung: warfarin, 12 Wochen" in text
    assert "Antworten pro Woche" in text
    assert "Nicht dokumentiert" in text
    assert "Monat 10/2026" in text
    assert "Gewicht, kg: Niveau" in text
    assert "Vergleichsmodell" in text
    assert "Prüfprotokoll geprüft: " in text
    assert browser.page is not None
    assert '<div class="rest"><span>Nicht dokumentiert</span>' in browser.page.text


def test_the_next_reader_has_the_page_in_english(app: FastAPI) -> None:
    signed_in(app, DATA_SCIENTIST, language="de").get(PAGE)
    page = signed_in(app, DATA_SCIENTIST, language="en").get(PAGE).text
    assert '<html lang="en">' in page
    assert "Monitoring: warfarin, 12 weeks" in page
    assert "Prüfung" not in page


def test_an_administrator_changes_a_model_in_german(app: FastAPI) -> None:
    browser = signed_in(app, ADMINISTRATOR, language="de")
    for action in ("stop", "resume", "roll-back", "drop-challenger"):
        browser.get(f"{PAGE}/{action}")
        assert left_in_english(browser) == [], action
    browser.get(f"{PAGE}/stop")
    browser.post(f"{PAGE}/stop", {"reason": ""})
    assert browser.page is not None
    assert "<title>Fehler: warfarin stoppen?" in browser.page.text
    assert "Nennen Sie den Grund, damit andere ihn verstehen" in browser.text
    browser.post(f"{PAGE}/stop", {"reason": "Fehlalarm"})
    assert "Fehlalarm. Behandelnde sehen die Leitlinie und die übliche Versorgung." in browser.text
    assert left_in_english(browser) == []
    browser.get(f"{PAGE}/resume")
    browser.post(f"{PAGE}/resume", {"reason": "behoben"})
    assert "Antwortet wieder" in browser.text
    assert left_in_english(browser) == []


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("resume", "Das Modell warfarin ist nicht gestoppt."),
        ("roll-back", "Zuvor war keine andere Version von warfarin im Einsatz."),
        ("nothing", "Diesen Vorgang gibt es nicht."),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_in_german(
    app: FastAPI, action: str, why: str
) -> None:
    browser = signed_in(app, ADMINISTRATOR, language="de")
    browser.get(f"{PAGE}/stop")
    browser.post(f"{PAGE}/{action}", {"reason": "x"})
    assert why in browser.text
    assert left_in_english(browser) == []


def test_the_headline_names_a_check_and_its_range_in_german() -> None:
    use = Use([steady() for _ in range(WEEKS)])
    with in_language(GERMAN):
        assert headline(check_groups(use, {})) == "Alles ist wie erwartet"
        use.weeks[-1].missing["weight"] = 30
        use.weeks[-1].numbers["age"] = [74.5] * 40
        groups = check_groups(use, {"age": (60.0, 10.0, "kg")})
        assert headline(groups) == (
            "Eine Prüfung ist auffällig, „Gewicht fehlt“: 75 von 100, erwartet höchstens 15 von 100"
        )
    rows = {row.name: row for group in groups for row in group.rows}
    age = rows["Alter, Verschiebung"]
    assert (age.last, age.expected) == ("+0,36 SD", "höchstens ±0,5 SD")
    assert age.reading == "Mittelwert 64 kg; im Training 60 kg"
    assert "Die letzten 12 Wochen: +0,00 SD, " in age.picture


def test_monitors_are_named_and_explained_in_german() -> None:
    reference = reference_of(saved())
    assert reference is not None
    with in_language(GERMAN):
        names = {monitor_name(monitor) for monitor in reference.monitors}
        texts = [unit_of(monitor) for monitor in reference.monitors]
    own = {"Alter, Jahrzehnte: Streuung", "Geschlecht: weiblich", "Größe, cm: Dokumentation"}
    own |= {"Ergebnis minus Vorhersage", "Wirksamkeit bei Gabe wie empfohlen"}
    assert own < names
    assert english_left(" ".join((*names, *texts)), saved().study) == []
    assert [monitor_name(m) for m in reference.monitors] == [m.name for m in reference.monitors]


def test_an_alarm_is_in_german() -> None:
    reference = reference_of(saved())
    assert reference is not None
    level = next(m for m in reference.monitors if m.name == "weight, kg: level")
    month = MonitorMonth(100, 0.9, 2.0, True, True)
    verdict = Verdict(12 * 2026 + 9, (level,) * 6, (), ((month,) * 6,), (2.0,), (True,))
    earlier = replace(verdict, months=((month,) * 6,) * 2, alarms=(True, False))
    rose = "Gewicht, kg: Niveau gestiegen"
    with in_language(GERMAN):
        assert verdict_words(verdict) == "Alarm im Monat 10/2026."
        assert verdict_words(earlier) == (
            f"Kein Alarm im Monat 11/2026. Der letzte war im Monat 10/2026: {rose}, {rose}, {rose},"
            f" {rose} und 2 weitere."
        )
        calm = replace(verdict, alarms=(False,))
        assert verdict_words(calm) == "Kein Alarm, 10/2026."
        state = ModelState("warfarin", "", (), False, "", f"{rose} (10/2026)")
        assert page_headline(state, ()) == f"Alarm: {rose} (10/2026)"


def test_what_to_do_is_in_german() -> None:
    with in_language(GERMAN):
        words = [tr(text) for text in WHAT_TO_DO.values()]
    assert english_left(" ".join(words), saved().study) == []


def test_outcomes_are_compared_in_german() -> None:
    wrong = [Prediction(f"p{at}", 0.9, at % 10 == 0) for at in range(1200)]
    doses = [DoseError(f"p{at}", 16.0, 18.5, at % 2 == 0) for at in range(1200)]
    with in_language(GERMAN):
        part = followed_part(Followed(wrong, doses, 3), ERRORS)
    assert part.verdict.endswith("zuerst: vorhergesagt 90 von 100, beobachtet 10.")
    assert part.note.startswith("1.200 Patienten mit bekanntem Ergebnis, ")
    assert part.note.endswith(
        "Bei unter 5 weiteren Patienten sagte die Antwort das Ergebnis nicht vorher."
    )
    rows = {name: (now, then) for name, now, then in part.doses}
    assert rows["Patienten mit bekannter richtiger Dosis"] == ("1.200", "")
    off = rows[f"Abweichung im Mittel, {ERRORS.unit}"]
    assert off == ("2,5 (2,5 bis 2,5)", "8,5 (7,9 bis 9,1)")
    assert rows["Richtige Dosis im Planungsbereich, von 100"] == ("50", "")


def test_the_challenger_is_compared_in_german() -> None:
    groups = [
        GroupDifference("age", "70 to 79 years", HALF),
        GroupDifference("weight", "under 80.5 kg", HALF),
        GroupDifference("weight", "65 years or more", HALF),
        GroupDifference("sex", "female", HALF),
    ]
    mean = Mean(-1.25, -2.5, 0.0)
    found = Comparison(
        champion="a" * 64,
        challenger="b" * 64,
        since="",
        answers=3456,
        pairs=3000,
        patients=3000,
        same_first=HALF,
        dose=DoseDifference(3000, "mg", -2.25, 1.5, HALF, HALF),
        groups=tuple(groups),
        milliseconds=(Latency(30.0, 90.0), Latency(50.0, 120.0)),
        not_answered={"too_slow": 1200},
        is_paused=True,
        outcomes=OutcomeComparison(20, 18, None, None, None, DoseErrors(20, mean, mean, mean)),
    )
    study = saved().study
    with in_language(GERMAN):
        part = challenger_part(found, study)
    rows = dict((*part.rows, *part.fared))
    assert part.sentence.endswith("nannten sie denselben Dosisbereich: 50 von 100 (48 bis 52).")
    assert "Beide beantworteten 3.000 von 3.456 Anfragen." in part.about
    assert rows["Dosis"].startswith("Die des Vergleichsmodells ist im Median 2,25 mg niedriger. ")
    assert rows["Größte Unterschiede"].startswith(
        "Alter 70 bis 79 Jahre: 50 von 100 (48 bis 52) (3.000 Paare). Gewicht unter 80,5 kg: "
    )
    assert "Gewicht 65 Jahre oder mehr: " in rows["Größte Unterschiede"]
    assert "Geschlecht weiblich: " in rows["Größte Unterschiede"]
    assert rows["Nicht verglichen"] == "Es brauchte zu lange: 1.200."
    assert rows["Ergebnis bekannt"].endswith("bei 18 dasselbe, bei unter 5 Verschiedenes.")
    assert "\u22121,2 (\u22122,5 bis 0,0)" in rows["Abweichung der Dosis im Mittel"]
    texts = (part.sentence, part.about, part.paused, part.fared_note, *rows, *rows.values())
    assert english_left(" ".join(texts), study) == []
