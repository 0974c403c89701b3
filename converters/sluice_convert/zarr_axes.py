"""Names, units and voxel sizes of a Zarr product's axes, from what the source tells: the terms of OME-NGFF 0.5."""

import math
import re

_PREFIXES = {"": "", "n": "nano", "u": "micro", "µ": "micro", "μ": "micro", "m": "milli", "c": "centi", "k": "kilo"}
# The words that OME-NGFF knows; a unit that is none of them stands in `sluice.units` only.
UNITS = {f"{short}m": f"{long}meter" for short, long in _PREFIXES.items()}
UNITS |= {word: word for word in UNITS.values()} | {f"{word}s": word for word in UNITS.values()}
UNITS |= {word.replace("meter", "metre"): known for word, known in UNITS.items()}
UNITS |= {"micron": "micrometer", "microns": "micrometer", "Å": "angstrom", "angstrom": "angstrom", "A": "angstrom"}
TIMES = {"s": "second", "sec": "second", "ms": "millisecond", "us": "microsecond", "min": "minute", "h": "hour"}
TIMES |= {"hr": "hour", "hrs": "hour", "mins": "minute", "secs": "second"}
TIMES |= {word + end: word for word in (*TIMES.values(), "day") for end in ("", "s")}

MEANING = {
    "units": str, "long_name": str, "standard_name": str, "scale_factor": int | float, "add_offset": int | float,
    "_Unsigned": str,
}  # fmt: skip


def axes_of(source):
    """[{"name", "type", "scale", "first", "unit"?, "told"?}] in the order of the array: t, c, z, y, x, as far as it
    has them.

    `told` is the unit in the source's own words, `first` the coordinate of the first voxel of an even axis that rises,
    else 0: viewers take no scale below 0.
    """
    kinds = (["t"] if source.timesteps > 1 else []) + ([] if source.flat else ["z"]) + ["y", "x"]
    facts = _facts(source, kinds)
    axes = [_axis(kind, fact) for kind, fact in zip(kinds, facts)]
    if source.components > 1:
        axes.insert(1 if source.timesteps > 1 else 0, {"name": "c", "type": "channel", "scale": 1.0, "first": 0.0})
    if len({axis["name"] for axis in axes}) < len(axes):
        for axis, kind in zip((axis for axis in axes if axis["type"] != "channel"), kinds):
            axis["name"] = kind
    return axes


def _axis(kind, fact):
    name = str(fact.get("name") or "")
    axis = {"name": kind if name == "" or re.fullmatch(r"axis \d+", name) else name[:100]}
    axis |= {"type": "time" if kind == "t" else "space", "scale": _scale(fact.get("scale"))}
    axis |= {"first": _first(fact, axis["scale"])}
    told = fact.get("unit")
    if isinstance(told, str) and told.strip():
        axis["told"] = told.strip()[:100]
        known = TIMES.get(axis["told"].partition(" since ")[0].lower()) if kind == "t" else UNITS.get(axis["told"])
        axis |= {"unit": known} if known else {}
    return axis


def _scale(value):
    return abs(float(value)) if _usable(value) and value != 0 else 1.0


def _first(fact, scale):
    """The first coordinate of an axis whose even steps are the scale."""
    step, first = fact.get("step"), fact.get("first")
    rising = _usable(step) and _usable(first) and math.isclose(step, scale, rel_tol=1e-3)
    return float(first) if rising else 0.0


def _usable(value):
    return isinstance(value, int | float) and math.isfinite(value)


def _facts(source, kinds):
    """What the source tells of each axis of `kinds`; empty where it tells nothing."""
    names = list(source.summary.get("axes") or [])[::-1]
    told = source.metadata.get("dimensions")
    if isinstance(told, dict):
        told = [
            _fact(name, entry.get("attributes", {}).get("units"), entry)
            for name, entry in told.items() if "squeezed" not in entry
        ]  # fmt: skip
    elif isinstance(told, list):
        told = [_fact(one.get("name"), one.get("units"), one) for one in told if "squeezed" not in one]
        for fact, size in zip(told, source.summary.get("voxel_size") or []):
            fact["scale"] = size
    else:
        told = []
    # A file that continues others in time has no time axis itself.
    missing = len(kinds) - len(told)
    told = [{}] * missing + told if missing >= 0 else told[-len(kinds) :]
    names = names if len(names) == len(kinds) else [None] * len(kinds)
    return [{**fact, "name": name or fact.get("name")} for fact, name in zip(told, names)]


def _fact(name, unit, entry):
    """What `dimensions` of metadata.json says of an axis."""
    step = entry.get("spacing")
    first = (entry.get("values") or [entry.get("first")])[0]
    return {"name": name, "unit": unit, "scale": step, "step": step, "first": first}


def meaning_of(source):
    """What the numbers mean, as attributes of CF that readers of arrays know; empty where the source says nothing."""
    facts, found = source.summary, {}
    for key, kinds in MEANING.items():
        value = facts.get(key)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(value, kinds):
            found[key] = value
    fill = list(source.ignored)
    return found | ({"missing_value": fill[0] if len(fill) == 1 else fill} if fill else {})
