"""Attribute values of any library as bounded JSON."""

import numpy as np

MOST_VALUES = 64
LONGEST_TEXT = 4096
MOST_FILES = 2000


def plain(value):
    """An attribute value as JSON: numbers stay numbers unless they are not finite, arrays are lists.

    What is too long becomes {"values", "values_left_out"} or {"text", "characters_left_out"}.
    """
    if isinstance(value, np.ndarray | list | tuple):
        flat = value.ravel() if isinstance(value, np.ndarray) else value
        kept = [plain(item) for item in flat[:MOST_VALUES]]
        left_out = len(flat) - len(kept)
        return {"values": kept, "values_left_out": left_out} if left_out else kept
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value if isinstance(value, int | float) else cut(str(value))


def cut(text):
    """A text, or what is kept of one that is too long."""
    left_out = len(text) - LONGEST_TEXT
    return {"text": text[:LONGEST_TEXT], "characters_left_out": left_out} if left_out > 0 else text


def differing(first, other):
    """The attributes of `other` that `first` has not, or has otherwise."""
    return {key: value for key, value in other.items() if key not in first or first[key] != value}


def no_data(stored, dtype):
    """Values that mean "no data", as plain finite numbers of the type of the data; `stored` are attributes' values.

    One that an integer type cannot hold means nothing there: wrapped around, it would be another number.
    """
    found = []
    for value in map(np.asarray, stored):
        if value.dtype.kind not in "iuf":
            continue
        value = value.ravel()
        with np.errstate(all="ignore"):
            cast = value.astype(dtype)
            held = np.isfinite(cast) if cast.dtype.kind == "f" else _same(cast, value)
        found += [item for item in cast[held].tolist() if item not in found]
    return tuple(found)


def _same(cast, value):
    return np.array([int(one) == other for one, other in zip(cast.tolist(), value.tolist())], bool)


class Differing:
    """Attributes of files that follow one another: those of the others that the first has not, or has otherwise."""

    def __init__(self):
        self._first, self._told, self._left_out = None, [], 0

    def add(self, name, by_path):
        """`by_path` is {path: {name: value}}, of the first file first."""
        if self._first is None:
            self._first = by_path
            return
        other = {path: differing(self._first.get(path, {}), facts) for path, facts in by_path.items()}
        other = {path: facts for path, facts in other.items() if facts}
        if other and len(self._told) < MOST_FILES:
            self._told.append({"file": name, "attributes": other})
        elif other:
            self._left_out += 1

    def found(self):
        """What metadata.json says of them."""
        left_out = {"attributes_of_files_left_out": self._left_out} if self._left_out else {}
        return ({"attributes_of_files": self._told} if self._told else {}) | left_out
