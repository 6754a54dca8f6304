"""A record system for demonstrations: it calls CDS Hooks services as a client, well or badly."""
