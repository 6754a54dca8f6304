"""How good a policy is: numbers with intervals, compared fairly."""
