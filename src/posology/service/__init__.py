"""The recommendation at the point of care: pages, CDS Hooks, an API, and their store."""
