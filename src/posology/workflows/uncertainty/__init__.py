"""How sure a policy is, measured when it is fitted and when it is evaluated."""
