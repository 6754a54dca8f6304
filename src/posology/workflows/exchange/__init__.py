"""Cohorts for other libraries, and their predictions as policies to compare with."""
