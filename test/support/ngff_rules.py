"""What OME-NGFF 0.5 says that an image MUST be, after its text; of the SHOULDs those of names, types and units.

`broken(folder)` lists what a group breaks, in words. Reads JSON only.
"""

import json
import math
import os

PREFIXES = (
    "yocto zepto atto femto pico nano micro milli centi deci deca hecto kilo mega giga tera peta exa zetta yotta"
).split()  # fmt: skip
LENGTHS = {"meter", "angstrom", "foot", "inch", "mile", "parsec", "yard"} | {f"{word}meter" for word in PREFIXES}
TIMES = {"second", "day", "hour", "minute"} | {f"{word}second" for word in PREFIXES}
ORDER = ("time", "channel", "space")


def read(*path):
    with open(os.path.join(*path, "zarr.json"), encoding="utf-8") as file:
        return json.load(file)


def broken(folder):
    """Sentences; none of an image that keeps the rules."""
    group = read(folder)
    ome = group.get("attributes", {}).get("ome", {})
    found = []
    if (group.get("zarr_format"), group.get("node_type")) != (3, "group"):
        found.append("an image is a group of Zarr 3")
    if ome.get("version") != "0.5":
        found.append("version is 0.5")
    if not isinstance(ome.get("multiscales"), list) or not ome["multiscales"]:
        return [*found, "multiscales is a list that is not empty"]
    for scales in ome["multiscales"]:
        found += _axes(scales.get("axes")) + _datasets(folder, scales)
        found += [f"{key} should be told" for key in ("name", "type", "metadata") if not scales.get(key)]
    return found


def _axes(axes):
    if not isinstance(axes, list) or not all(isinstance(axis, dict) for axis in axes):
        return ["axes is a list of objects"]
    found, names, kinds = [], [axis.get("name") for axis in axes], [axis.get("type") for axis in axes]
    if not 2 <= len(axes) <= 5:
        found.append("there are two to five axes")
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        found.append("each axis has a name of its own")
    if not 2 <= kinds.count("space") <= 3 or kinds.count("time") > 1 or kinds.count("channel") > 1:
        found.append("two or three axes are space, at most one is time, at most one channel")
    if not set(kinds) <= set(ORDER) or kinds != sorted(kinds, key=ORDER.index):
        found.append("time comes first, then channel, then space")
    for axis in axes:
        known = {"space": LENGTHS, "time": TIMES}.get(axis.get("type"), set())
        if "unit" in axis and axis["unit"] not in known:
            found.append(f"the unit {axis['unit']} should be one of the list")
    return found


def _datasets(folder, scales):
    datasets, axes = scales.get("datasets"), scales.get("axes") or []
    if not isinstance(datasets, list) or not datasets:
        return ["datasets is a list that is not empty"]
    found, sizes = [], []
    for dataset in datasets:
        if not isinstance(dataset.get("path"), str) or not os.path.isdir(os.path.join(folder, dataset["path"])):
            return [*found, "each dataset has the path of an array"]
        array = read(folder, dataset["path"])
        sizes.append(array["shape"])
        if array["node_type"] != "array" or len(array["shape"]) != len(axes):
            found.append("arrays have as many dimensions as there are axes")
        if array.get("dimension_names") != [axis.get("name") for axis in axes]:
            found.append("dimension_names are the names of the axes")
        found += _transformations(dataset.get("coordinateTransformations"), len(axes))
    if any(a < b for finer, coarser in zip(sizes, sizes[1:]) for a, b in zip(finer, coarser)):
        found.append("paths go from the largest to the smallest")
    if "coordinateTransformations" in scales:
        found += _transformations(scales["coordinateTransformations"], len(axes))
    return found


def _transformations(steps, rank):
    if not isinstance(steps, list):
        return ["each dataset has coordinateTransformations"]
    kinds, found = [step.get("type") for step in steps], []
    if kinds not in (["scale"], ["scale", "translation"]):
        found.append("there is exactly one scale, and at most one translation behind it")
    for step in steps:
        vector = step.get(step.get("type"))
        vector = vector if isinstance(vector, list) else []
        numbers = all(isinstance(one, int | float) and math.isfinite(one) for one in vector)
        if not numbers or len(vector) != rank:
            found.append("scale and translation have a number for each axis")
    return found
