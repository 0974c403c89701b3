"""Natural order of file names: img2 before img10."""

import re

DIGITS = re.compile(r"(\d+)")


def natural_key(name):
    """Sort key: runs of digits compare as numbers, the rest without case; equal keys fall back to the name itself."""
    parts = DIGITS.split(name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part.casefold()) for part in parts], name


def visible(inputs):
    """Inputs that are not hidden files (macOS leaves `._name` twins beside real files)."""
    return [item for item in inputs if not item["name"].rsplit("/", 1)[-1].startswith(".")]


def listing(names, most=5):
    """A short list of names for a sentence."""
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) + rest) or "no files"
