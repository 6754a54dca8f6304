"""Why the first option comes first, and what would change the order."""
