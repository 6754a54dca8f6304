"""The monitors of a served model: what its store shows, and the verdict."""
