"""What `fit` keeps for later answers, and how `recommend` reads it."""
