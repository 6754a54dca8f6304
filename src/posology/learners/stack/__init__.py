"""Several models as one policy, each weighted by what it adds."""
