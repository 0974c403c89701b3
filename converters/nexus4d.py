"""Converter for the sensor 4D_NEXUS: a scan in a NeXus or HDF5 file -> one OpenVisus dataset.

A volume (x, y, z, u) becomes timesteps along x of volumes with dims u, z, y; one of three axes a volume with its dims
reversed; an axis of one entry that would be the last is left out. Several volumes of one shape become fields.
Coordinates of the samples (Xs, Ys) and the ratio of the beam behind the sample to that before it are checked against
the volume and written to scan.json.
"""

import json
import os

from hdf5 import meaning, taken
from sluice_convert.natural import listing
from sluice_convert.report import Fault, run_program

RANKS = (3, 4)
AXES = "xyzu"


def one_file(inputs):
    """The file of the scan. Raises not_hdf5, several_files."""
    files = taken(inputs)
    if len(files) > 1:
        there = listing(item["name"] for item in files)
        raise Fault("several_files", f"A scan is one file, and there are {there}. Upload each as its own dataset.")
    return files[0]


def volumes(file, name, wanted):
    """[(path, dataset)] of one shape and type: the named ones, else the largest of 4, else of 3 axes."""
    from sluice_convert.hdf5_pick import largest, named

    if not wanted:
        return [largest(file, name, (4,), RANKS)]
    found = [(path, named(file, name, path, RANKS)) for path in wanted]
    first = found[0][1]
    for path, dataset in found[1:]:
        if (dataset.shape, dataset.dtype) != (first.shape, first.dtype):
            raise Fault(
                "slice_mismatch",
                f"{found[0][0]} is {words(first.shape)} {first.dtype.name}, but {path} is {words(dataset.shape)} "
                f"{dataset.dtype.name}. Volumes that differ are separate datasets.",
            )
    return found


def words(shape):
    return " x ".join(map(str, shape))


def coordinates(file, name, path, label, sizes):
    """(values, units) of a 1-D (or squeezable) dataset that must have one of `sizes` ({size: what it is})."""
    from sluice_convert.hdf5_file import values
    from sluice_convert.hdf5_pick import named
    from sluice_convert.hdf5_source import attributes

    dataset = named(file, name, path, (1, 2, 3, 4))
    if dataset.size not in sizes:
        wanted = " or ".join(f"{size} ({what})" for size, what in sizes.items())
        raise Fault(
            "scan_mismatch", f"{label} ({path} in {name}) has {dataset.size} values where {wanted} were expected."
        )
    return values(dataset, path, name).ravel(), attributes(dataset).get("units")


def scan_record(file, name, parameters, path, dataset, index):
    """What scan.json says of one volume."""
    from sluice_convert.coordinates import listed

    width, height = dataset.shape[:2]
    grid = {width * height: "one per x and y"}
    told = {"volume": path, "shape": list(dataset.shape)}
    for key, sizes in (("Xs", {width: "one per x"} | grid), ("Ys", {height: "one per y"} | grid)):
        where = matching(parameters, key, index)
        if where is not None:
            values, units = coordinates(file, name, where, key, sizes)
            told[key] = {"path": where, "units": units, "values": listed(values)}
    beams = {key: matching(parameters, key, index) for key in ("presample", "postsample")}
    if any(beams.values()):
        missing = [key for key, where in beams.items() if where is None]
        if missing:
            raise Fault("scan_mismatch", f"{missing[0]} is not named. Name it too, or neither of {', '.join(beams)}.")
        sizes = {width: "one per x"} | grid
        told["intensity"] = ratio(*(coordinates(file, name, where, key, sizes)[0] for key, where in beams.items()))
    return told


def placed(axes, scans):
    """The axes with the coordinates of the samples that belong to all volumes, and with the names of a scan.

    What is given one for each x and y counts where it is that of a grid; else scan.json alone has it.
    """
    import numpy as np
    from sluice_convert.coordinates import Coordinate

    names = [AXES[number] if axis.name == f"axis {number}" else axis.name for number, axis in enumerate(axes)]
    axes = [Coordinate(name, axis.size, axis.values, axis.facts) for name, axis in zip(names, axes)]
    for number, key in enumerate(("Xs", "Ys")):
        found = [scan.get(key) for scan in scans]
        if None in found or any(one[part] != found[0][part] for one in found for part in ("values", "units")):
            continue
        values, axis = np.array(found[0]["values"]), axes[number]
        if values.size != axis.size:
            grid = np.moveaxis(values.reshape(axes[0].size, axes[1].size), number, 0)
            values = grid[:, 0] if (grid == grid[:, :1]).all() else None
        if values is not None and values.dtype.kind in "iuf":
            units = found[0]["units"]
            axes[number] = Coordinate(axis.name, axis.size, values, {} if units is None else {"units": units})
    return axes


def ratio(before, behind):
    """postsample / presample, the picture of a scan; values that are not finite are null."""
    import numpy as np

    if before.size != behind.size:
        raise Fault("scan_mismatch", f"presample has {before.size} values and postsample has {behind.size}.")
    with np.errstate(all="ignore"):
        values = behind.astype("f8") / before.astype("f8")
    return [item if np.isfinite(item) else None for item in values.tolist()]


def matching(parameters, key, index):
    """The path that belongs to a volume: one for all of them, or one for each."""
    paths = parameters.get(key) or []
    if len(paths) > 1 and len(paths) != len(parameters.get("volume") or [None]):
        raise Fault("scan_mismatch", f"{key} names {len(paths)} datasets; name one, or one for each volume.")
    return None if not paths else paths[0] if len(paths) == 1 else paths[index]


def main(request, reporter):
    item, parameters = one_file(request["inputs"]), request.get("parameters") or {}
    name, long = item["name"], {}
    from sluice_convert import coordinates, hdf5_facts
    from sluice_convert.hdf5_file import check_storage, objects, opened
    from sluice_convert.hdf5_source import squeezed_axis
    from sluice_convert.product import convert
    from sluice_convert.report import reading
    from sluice_convert.visus import check_type

    with opened(item["path"], name) as file, reading(name):
        found = volumes(file, name, parameters.get("volume"))
        path, first = found[0]
        check_type(first.dtype, 1, f"{path} in {name}")
        timed, scans = first.ndim == 4, []
        for index, (volume, dataset) in enumerate(found):
            check_storage(dataset, volume, name)
            scans.append(scan_record(file, name, parameters, volume, dataset, index))
        axes, squeezed = placed(hdf5_facts.axes(file, path, first, name), scans), squeezed_axis(first, timed)
        told = hdf5_facts.told(axes, [(name, axes[0])] if timed else [], squeezed, long)
        names = [axis for number, axis in enumerate(AXES[: first.ndim]) if number != squeezed]
        summary = {"volumes": [volume for volume, _ in found], "axes": names[::-1], "time_axis": "x" if timed else None}
        summary |= {"voxel_size": hdf5_facts.voxel_size(first, told, timed)}
        metadata = {
            "format": "4d_nexus", "files": [name], "shape": list(first.shape), "dimensions": told,
            **hdf5_facts.attributes_by_path(objects(file, name)),
        }  # fmt: skip
        sources = sources_of(item, found, timed, metadata, summary, request["limits"]["threads"])
    result = convert(sources, request, reporter)  # the sources open the file anew, with caches for their chunks
    coordinates.write(request["output"], long)
    with open(os.path.join(request["output"], "scan.json"), "w", encoding="utf-8") as target:
        json.dump({"scans": scans}, target, ensure_ascii=False, allow_nan=False)
    return result


def sources_of(item, found, timed, metadata, summary, threads):
    """A source for each volume, a field each, with what its own numbers mean."""
    from sluice_convert.hdf5_source import Hdf5Source, attributes, fill_values
    from sluice_convert.slabs import FIELD

    sources = []
    for volume, dataset in found:
        parts = [(item["path"], item["name"], dataset.shape[0] if timed else 1)]
        told = summary | meaning(attributes(dataset))
        source = Hdf5Source(parts, volume, dataset, timed, fill_values(dataset), metadata, told, threads)
        source.field = FIELD if len(found) == 1 else volume.strip("/").replace("/", "_")
        sources.append(source)
    return sources


if __name__ == "__main__":
    run_program(main)
