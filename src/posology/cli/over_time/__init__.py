"""Commands of a model over time: its versions, outcomes and updates."""
