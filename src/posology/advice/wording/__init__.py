"""Small parts of sentences: titles, lists of names, levels of two options."""
