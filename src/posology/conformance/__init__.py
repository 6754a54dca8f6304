"""Test any CDS Hooks 2.0 service from outside: a client that checks, abuses and reports."""
