"""posology: which treatment, at what dose, for this patient."""
