"""A new project: mapping, study file, Makefile, notebook and README, from a table or records."""
