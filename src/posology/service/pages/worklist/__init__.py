"""The patients whose answers wait for a decision."""
