"""Signed tokens (JWT) of systems that call the service, and whose keys are trusted."""
