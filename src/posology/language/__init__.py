"""Texts and numbers in the language of an answer."""
