"""Versions of a model, and the append-only history of which was champion when."""
