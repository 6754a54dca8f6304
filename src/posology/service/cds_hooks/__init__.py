"""CDS Hooks 2.0: cards in the record system's own workflow."""
