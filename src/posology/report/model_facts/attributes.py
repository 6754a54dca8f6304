"""The 31 source attributes of a predictive decision support intervention, in our own words.

HTI-1 final rule, 45 CFR 170.315(b)(11)(iv)(B), in its order and numbering.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attribute:
    """One of the source attributes."""

    key: str
    """Its name in a file of details."""
    number: str
    """Group and item of the rule: `1.i`."""
    title: str


GROUPS = {
    1: "Details and output",
    2: "Purpose",
    3: "Cautioned out-of-scope use",
    4: "Development and input features",
    5: "Fairness in development",
    6: "External validation",
    7: "Quantitative measures of performance",
    8: "Maintenance",
    9: "Update schedule",
}

ATTRIBUTES = (
    Attribute("developer", "1.i", "Developer: name and contact"),
    Attribute("funding", "1.ii", "Funding of the technical implementation"),
    Attribute("output", "1.iii", "Value produced as output"),
    Attribute("output_type", "1.iv", "Type of output"),
    Attribute("intended_use", "2.i", "Intended use"),
    Attribute("population", "2.ii", "Intended patients"),
    Attribute("users", "2.iii", "Intended users"),
    Attribute("role", "2.iv", "Role in decisions"),
    Attribute("out_of_scope", "3.i", "Tasks, situations or patients it is not for"),
    Attribute("limitations", "3.ii", "Known risks and limitations"),
    Attribute("criteria", "4.i", "Inclusion and exclusion criteria of the training data"),
    Attribute("demographic_inputs", "4.ii", "Demographic and social variables used as input"),
    Attribute("representativeness", "4.iii", "Demographic representativeness of training data"),
    Attribute("relevance", "4.iv", "Relevance of training data to the intended setting"),
    Attribute("fairness_approach", "5.i", "How output is made fair"),
    Attribute("bias_approach", "5.ii", "How bias is managed, reduced or eliminated"),
    Attribute("external_data", "6.i", "External data, setting or environment of validation"),
    Attribute("external_party", "6.ii", "Who conducted the external testing"),
    Attribute("external_representativeness", "6.iii", "Representativeness of external data"),
    Attribute("external_process", "6.iv", "Process of external validation"),
    Attribute("validity_test", "7.i", "Validity in test data of the same source"),
    Attribute("fairness_test", "7.ii", "Fairness in test data of the same source"),
    Attribute("validity_external", "7.iii", "Validity in data of another source"),
    Attribute("fairness_external", "7.iv", "Fairness in data of another source"),
    Attribute("outcome_evaluations", "7.v", "Evaluations of effects on outcomes"),
    Attribute("validity_monitoring", "8.i", "How, and how often, validity is monitored"),
    Attribute("validity_local", "8.ii", "Validity in local data"),
    Attribute("fairness_monitoring", "8.iii", "How, and how often, fairness is monitored"),
    Attribute("fairness_local", "8.iv", "Fairness in local data"),
    Attribute("updates", "9.i", "How, and how often, it is updated"),
    Attribute("corrections", "9.ii", "How often performance is corrected when risks are found"),
)
NOT_PROVIDED = "Not provided"


@dataclass(frozen=True, slots=True)
class ModelFact:
    """An attribute and what is known of it."""

    attribute: Attribute
    value: str
    """NOT_PROVIDED where nothing is known."""
    source: str
    """`study file`, `saved policy`, `details` or empty."""
