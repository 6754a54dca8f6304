"""Codes and their prefixes: `FAMILY//name//value`, as in MEDS."""


def has_prefix(code: str, prefix: str) -> bool:
    """Whether a code is the prefix, or continues it after `//`."""
    return code == prefix or code.startswith(prefix + "//")


def matching_rows(vocabulary: tuple[str, ...], prefixes: tuple[str, ...]) -> frozenset[int]:
    """Rows of the vocabulary whose codes have any of the prefixes."""
    return frozenset(
        row for row, code in enumerate(vocabulary) if any(has_prefix(code, p) for p in prefixes)
    )
