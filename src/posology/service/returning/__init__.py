"""Outcomes that come back from the records, linked to what was recommended."""
