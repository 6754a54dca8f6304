"""The pages of the service: what a clinician, a data scientist and an administrator read."""
