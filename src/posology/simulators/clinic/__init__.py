"""A virtual clinic: second-line therapy of type 2 diabetes, whose truth is known.

Read in this order: `settings`, `options`, `population`, `genome`, `response`, `disease`, `harms`,
`truth`, `clinicians`, `visits`, `simulation` (five years of each patient), then `files`.
"""
