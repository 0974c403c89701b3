"""Attribute values of any library as bounded JSON."""

import numpy as np

MOST_VALUES = 64
LONGEST_TEXT = 4096


def plain(value):
    """An attribute value as JSON: numbers stay numbers unless they are not finite; long ones are cut."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.ravel()[:MOST_VALUES].tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float) else str(value)[:LONGEST_TEXT]
