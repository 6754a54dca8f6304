"""A virtual clinic: second-line therapy of type 2 diabetes, whose truth is known.

Read in this order: `settings`, `options`, `population`, `genome`, `response`, `disease`,
`adverse`, `clinicians`, `truth`, `course` (a patient's five years), then the writers.
"""
