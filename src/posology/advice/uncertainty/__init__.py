"""How sure an answer is: conformal sets, patients alike, distance from training."""
