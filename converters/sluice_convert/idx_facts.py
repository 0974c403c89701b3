"""What an OpenVisus dataset says of itself: axes, box, physical box, times, and the type and range of each field."""

import re

import numpy as np

from . import coordinates
from .coordinates import Coordinate
from .digest import wider

AXES = "xyz"
MOST_FIELDS = 1000


def facts_of(dataset, text, long):
    """(for the result and metadata.json, for metadata.json alone). `text` is the index itself."""
    told, rank = sections(text), dataset.getPointDim()
    low, high = ([int(v) for v in corner] for corner in dataset.getLogicBox())
    steps = [float(step) for step in dataset.getTimesteps()]
    names = axis_names(told.get("axis", ""), rank)
    physical = numbers(told.get("physic_box", ""), rank)
    facts = {"box": [low, high], "axes": names + (["time"] if len(steps) > 1 else [])}
    dimensions = []
    if len(steps) > 1:
        times = Coordinate("time", len(steps), np.array([int(step) if step.is_integer() else step for step in steps]))
        dimensions.append({"name": "time", "size": len(steps), **coordinates.told(times, long)})
    for axis in range(rank)[::-1]:
        entry = {"name": names[axis], "size": high[axis] - low[axis]}
        if physical is not None:
            first, last = physical[axis]
            entry |= {"first": first, "spacing": (last - first) / (high[axis] - low[axis])}
        elif low[axis] != 0:
            entry |= {"first": low[axis], "spacing": 1}
        dimensions.append(entry)
    if physical is not None:
        facts["physical_box"] = [[first for first, _ in physical], [last for _, last in physical]]
        facts["voxel_size"] = [one.get("spacing") for one in dimensions]
    return facts, {"dimensions": dimensions}


def types_of(dataset, records):
    """{field: type, minimum, maximum} as read from the input; `records` are those of the proof, of the entry alone."""
    ranges = {}
    for record in records:
        known = ranges.get(record["field"], (None, None))
        ranges[record["field"]] = wider(known, (record["min"], record["max"]))
    found = {}
    for name in list(dataset.getFields())[:MOST_FIELDS]:
        field = dataset.getField(name)  # kept: its dtype is a bare reference into it
        low, high = ranges.get(name, (None, None))
        found[name] = {"dtype": field.dtype.toString(), "min": low, "max": high}
    return found


def sections(text):
    """{name: words} of an index that is no XML: a section begins with its name in brackets."""
    found, name = {}, None
    for line in text.splitlines():
        match = re.fullmatch(r"\(([^()]*)\)", line.strip())
        if match:
            name = match[1]
        elif name is not None:
            found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return found


def axis_names(told, rank):
    """Names of the axes in space, x first: those of the index, where they are as many as there are axes."""
    words = [word for word in re.split(r"[\s,;]+", told) if word]
    usable = len(words) == rank and len(set(words)) == rank and "time" not in words
    return [word[:100] for word in words] if usable else list(AXES[:rank])


def numbers(told, rank):
    """[(first, last)] of each axis of a physical box, or None where there is none that makes sense."""
    try:
        values = [float(word) for word in told.split()]
    except ValueError:
        return None
    pairs = list(zip(values[::2], values[1::2]))[:rank]
    usable = len(pairs) == rank and np.isfinite(pairs).all() and all(first != last for first, last in pairs)
    return pairs if usable else None
