"""SMART App Launch 2.2: the page of an answer, opened from a record system."""
