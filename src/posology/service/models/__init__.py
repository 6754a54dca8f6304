"""The models that are served: their versions, signatures, and switches."""
