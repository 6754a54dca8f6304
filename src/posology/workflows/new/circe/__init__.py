"""Cohort definitions of OHDSI's ATLAS (Circe JSON) as the [decision] of a study file."""
