"""The statements of CDS Hooks 2.0 that bind a service: 62 SHALL, and what binds both sides."""

from posology.conformance.statements.statement import Level, Statement

_NO_CARD = "no card came: give the tester a patient for whom the service has advice"
_NO_SUGGESTION = "no card came with a suggestion"
_NO_ACTION = "no suggestion came with an action"
_NO_LINK = "no card came with a link"
_NO_TEMPLATE = "the service declares no prefetch"
_NO_TOKEN_KEY = "the tester has no key: posology conform --make-key"
_NO_CODING = "no topic and no override reason came"
_CLIENT = "it is about what a client does with the reply"


def _shall(section: str, rows: dict[int, tuple[str, str]]) -> tuple[Statement, ...]:
    return _statements("SHALL", section, rows)


def _statements(
    level: Level, section: str, rows: dict[int, tuple[str, str]]
) -> tuple[Statement, ...]:
    source = f"CDS Hooks 2.0 #{section}"
    return tuple(
        Statement(f"cds-{number}", level, about, source, absent)
        for number, (about, absent) in rows.items()
    )


def _unseen(number: int, section: str, about: str, reason: str) -> Statement:
    source = f"CDS Hooks 2.0 #{section}"
    return Statement(f"cds-{number}", "SHALL", about, source, unseen=reason)


_NO_SERVICE = "no service is offered"
DISCOVERY = (
    *_shall("discovery", {4: ("Discovery answers at {base}/cds-services", "")}),
    *_shall("http-request", {5: ("Discovery answers GET at any time", "")}),
    *_shall(
        "response",
        {
            6: ("Discovery returns an object with an array of services", ""),
            7: ("Each service names its hook", _NO_SERVICE),
            9: ("Each service has a description", _NO_SERVICE),
            10: ("Each service has an id", _NO_SERVICE),
        },
    ),
    *_shall("http-status-codes", {13: ("Discovery succeeds with status 200", "")}),
    *_shall("http-request_1", {16: ("A service answers at {base}/cds-services/{id}", _NO_SERVICE)}),
    *_shall(
        "update-stale-guidance",
        {211: ("A service that replaces its cards keeps its id", "each id has one hook")},
    ),
    *_shall(
        "providing-fhir-resources-to-a-cds-service",
        {29: ("Prefetch templates are queries given in discovery", _NO_TEMPLATE)},
    ),
    *_shall("prefetch-template", {36: ("Each template has a key of its own", _NO_TEMPLATE)}),
    *_shall(
        "prefetch-tokens",
        {
            55: ("Tokens stand between {{ and }}", _NO_TEMPLATE),
            56: ("A token is a field of the context or an identifier of the user", _NO_TEMPLATE),
            57: ("A token is a root field that holds a single value", _NO_TEMPLATE),
        },
    ),
    *_shall(
        "example-prefetch-token",
        {59: ("A token of the context starts with context.", _NO_TEMPLATE)},
    ),
)

REPLIES = (
    *_shall(
        "prefetch-template",
        {54: ("Status 412 where required data cannot be had", _NO_TEMPLATE)},
    ),
    *_shall(
        "fhir-resource-access",
        {
            61: (
                "Each call to the FHIR server carries the access token",
                "the service fetched nothing from the tester's FHIR server (--fhir-server)",
            )
        },
    ),
    *_shall(
        "cds-service-response",
        {
            74: ("Success is status 200 with an array of cards", "no call could be judged (412)"),
            75: ("systemActions, where sent, is an array of actions", "no systemActions came"),
        },
    ),
)

CARDS = (
    *_shall(
        "card-attributes",
        {
            80: ("A card's uuid is a string of its own", "no card came with a uuid"),
            83: ("A card's summary is text under 140 characters", _NO_CARD),
            85: ("A card's detail is text in Markdown", "no card came with a detail"),
            87: ("A card has an indicator", _NO_CARD),
            88: ("The indicator is info, warning or critical", _NO_CARD),
            90: ("A card has a source object", _NO_CARD),
            92: ("Suggestions are an array of objects", _NO_SUGGESTION),
            93: ("A card with suggestions has a selectionBehavior", _NO_SUGGESTION),
            95: ("selectionBehavior is at-most-one or any", _NO_SUGGESTION),
            96: ("selectionBehavior is a string", _NO_SUGGESTION),
            98: ("Override reasons are an array of codings", "no card came with override reasons"),
            100: ("Each override reason has a display", "no card came with override reasons"),
            103: ("Links are an array of objects", _NO_LINK),
        },
    ),
    _unseen(89, "card-attributes", "A client may show the indicator as it likes", _CLIENT),
    *_shall(
        "source",
        {
            105: ("A source has a label", _NO_CARD),
            107: ("A source's url is absolute", "no source came with a url"),
            111: ("A source's icon is an absolute URL", "no source came with an icon"),
            115: ("A source's topic is a coding", "no source came with a topic"),
        },
    ),
    *_shall(
        "suggestion",
        {
            117: ("A suggestion has a label", _NO_SUGGESTION),
            119: ("A suggestion's uuid is a string", "no suggestion came with a uuid"),
            121: ("isRecommended is true or false", "no suggestion came with isRecommended"),
            124: ("A suggestion's actions are an array of objects", _NO_ACTION),
        },
    ),
    *_shall(
        "action",
        {
            127: ("An action's type is create, update or delete", _NO_ACTION),
            128: ("An action has a description", _NO_ACTION),
            130: ("An action's resource is a FHIR resource", "no action came with a resource"),
            131: ("A create action holds the new resource", "no create action came"),
            132: ("An update action holds the whole resource", "no update action came"),
            133: ("A delete action sends no resource", "no delete action came"),
            134: ("A delete action names its resourceId", "no delete action came"),
            135: ("A resourceId is a string", "no action came with a resourceId"),
        },
    ),
    *_shall(
        "reasons-for-rejecting-a-card",
        {136: ("An override reason reads as words", "no card came with override reasons")},
    ),
    *_shall(
        "link",
        {
            138: ("A link has a label", _NO_LINK),
            139: ("A link has an absolute url", _NO_LINK),
            141: ("A link has a type", _NO_LINK),
            142: ("A link's type is absolute or smart", _NO_LINK),
            144: ("appContext is a string", "no link came with appContext"),
            147: ("An absolute link has no appContext", "no absolute link came"),
        },
    ),
    *_shall(
        "coding",
        {
            216: ("A coding has a code", _NO_CODING),
            217: ("A coding has a system, a string", _NO_CODING),
            218: ("A coding's code is a string", _NO_CODING),
            219: ("The display of an override reason is a string", "no override reason came"),
            220: ("The display of a topic is a string", "no topic came with a display"),
        },
    ),
)

TRUST = (
    *_shall(
        "trusting-cds-clients",
        {
            176: ("A client is known by its signed JWT", "the service wants no token"),
        },
    ),
    _unseen(
        213,
        "update-stale-guidance",
        "Services and clients agree on the hooks that safety needs",
        "it is an agreement between two organisations",
    ),
)

BOTH_SIDES = (
    *_shall(
        "use-of-json",
        {
            1: ("Data are sent as JSON", ""),
            2: ("Data are sent over HTTPS", "the address is of this machine, not of production"),
            3: ("Nothing in JSON is null or empty", ""),
        },
    ),
    *_shall(
        "security-and-safety",
        {168: ("Every exchange uses TLS", "the address is of this machine, not of production")},
    ),
    _unseen(125, "suggestion", "All actions of a suggestion go together", _CLIENT),
    *_shall(
        "trusting-cds-clients",
        {199: ("A key set without jku is agreed beforehand", _NO_TOKEN_KEY)},
    ),
    *_shall(
        "jwt-signing-algorithm",
        {
            201: ("A token with algorithm none is refused", _NO_TOKEN_KEY),
            203: ("A token with a symmetric algorithm is refused", _NO_TOKEN_KEY),
        },
    ),
    *_shall(
        "cross-origin-resource-sharing",
        {208: ("A browser's client may call (CORS)", "no browser's client is named (--origin)")},
    ),
    *_shall("extensions", {214: ("An extension is a JSON object", "no extension came")}),
)

SHOULD = (
    *_statements("SHOULD", "response", {8: ("Each service has a title", _NO_SERVICE)}),
    *_statements(
        "SHOULD",
        "providing-fhir-resources-to-a-cds-service",
        {
            27: ("A call is answered within 500 ms", "no call was answered"),
            34: ("Withheld data are fetched from the FHIR server", "no --fhir-server is given"),
        },
    ),
    *_statements(
        "SHOULD",
        "prefetch-template",
        {52: ("An OperationOutcome in prefetch is noticed", _NO_TEMPLATE)},
    ),
    *_statements(
        "SHOULD",
        "prefetch-query-restrictions",
        {58: ("Prefetch uses the recommended subset of FHIR queries", _NO_TEMPLATE)},
    ),
    *_statements("SHOULD", "link", {146: ("appContext only for smart links", _NO_LINK)}),
    *_statements(
        "SHOULD",
        "trusting-cds-clients",
        {
            177: ("A call without a token is refused", ""),
            195: ("Only issuers and key sets on a list are trusted", _NO_TOKEN_KEY),
        },
    ),
)

ROWS = (*DISCOVERY, *REPLIES, *CARDS, *TRUST, *BOTH_SIDES, *SHOULD)
