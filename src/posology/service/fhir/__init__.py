"""FHIR R4: reading from a record system's server, and the resources that the service makes."""
