"""Converter for the sensor HDF5: one dataset of HDF5 files -> one OpenVisus dataset.

The dataset is `parameters.dataset`, or the largest numeric one. 2-D = an image; 3-D = a volume, or timesteps of
images if `parameters.time_first`; 4-D = timesteps of volumes. A volume of one slice is an image. Several files follow
one another in time.
"""

from sluice_convert.chosen import chosen, named
from sluice_convert.report import Fault, run_program
from sluice_convert.sniff import is_hdf5

ENDINGS = (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nx5", ".nexus")
# Files may follow one another only if a stored number means the same in each.
MEANING = ("units", "scale_factor", "add_offset", "_FillValue", "missing_value")


def meaning(facts):
    """What the numbers of a dataset mean, of its attributes."""
    return {key: facts[key] for key in ("long_name", *MEANING) if key in facts}


def taken(inputs):
    """The HDF5 files among the inputs, by name or content, in natural order."""
    by_name = named(ENDINGS)
    return chosen(
        inputs, "HDF5 file", lambda item: by_name(item) or is_hdf5(item["path"]), "not_hdf5", "HDF5 file"
    )


def check_alike(first, second, first_name, second_name, timed):
    """A file that continues another holds the same grid, the same type and the same meaning of numbers."""
    from sluice_convert.hdf5_facts import size_attribute
    from sluice_convert.hdf5_source import attributes

    skipped = 1 if timed else 0
    sizes = [size_attribute(dataset) for dataset in (first, second)]
    facts = (attributes(first), attributes(second))
    for what, left, right in (
        ("shape", first.shape[skipped:], second.shape[skipped:]),
        ("type", first.dtype.newbyteorder("="), second.dtype.newbyteorder("=")),
        *((key, facts[0].get(key), facts[1].get(key)) for key in MEANING),
        *([("size of voxels", *sizes)] if None not in sizes else []),
    ):
        if left != right:
            raise Fault(
                "slice_mismatch",
                f"{first_name} and {second_name} cannot follow one another: the {what} of the dataset is {left} in the "
                f"first and {right} in the second. Upload them as separate datasets.",
            )


def continued(files, path, dataset, axes, timed):
    """([(path, name, steps)], [(name, time axis)], what else the files say of themselves) over all files."""
    from sluice_convert import hdf5_facts
    from sluice_convert.coordinates import check_places
    from sluice_convert.hdf5_file import check_storage, opened
    from sluice_convert.hdf5_pick import named
    from sluice_convert.plain import Differing
    from sluice_convert.report import reading

    parts, times, told = [], [], Differing()
    for number, item in enumerate(files):
        name = item["name"]
        with opened(item["path"], name) as file, reading(name):
            other = named(file, name, path)
            check_storage(other, path, name)
            found = hdf5_facts.axes(file, path, other, name) if number > 0 else axes
            if number > 0:
                check_alike(dataset, other, files[0]["name"], name, timed)
                check_places(axes[timed:], found[timed:], files[0]["name"], name)
            told.add(name, hdf5_facts.attributes_by_path(hdf5_facts.above(file, path, name))["attributes"])
            parts.append((item["path"], name, other.shape[0] if timed else 1))
            times += [(name, found[0])] if timed else []
    return parts, times, told.found()


def main(request, reporter):
    files = taken(request["inputs"])
    from sluice_convert import coordinates, hdf5_facts
    from sluice_convert.hdf5_file import objects, opened
    from sluice_convert.hdf5_pick import pick
    from sluice_convert.hdf5_source import Hdf5Source, attributes, fill_values, squeezed_axis
    from sluice_convert.product import convert
    from sluice_convert.report import reading
    from sluice_convert.visus import check_type

    parameters, first, long = request.get("parameters") or {}, files[0]["name"], {}
    with opened(files[0]["path"], first) as file, reading(first):
        path, dataset = pick(file, first, parameters.get("dataset"))
        check_type(dataset.dtype, 1, f"{path} in {first}")
        timed = dataset.ndim == 4 or (dataset.ndim == 3 and bool(parameters.get("time_first")))
        axes, facts = hdf5_facts.axes(file, path, dataset, first), attributes(dataset)
        parts, times, more = continued(files, path, dataset, axes, timed)
        told = hdf5_facts.told(axes, times, squeezed_axis(dataset, timed), long)
        names = [axis["name"] for axis in told if "squeezed" not in axis]
        summary = {"dataset": path, "axes": names[::-1], "file_count": len(files)}
        summary |= {"time_axis": names[0] if timed else None, "voxel_size": hdf5_facts.voxel_size(dataset, told, timed)}
        summary |= meaning(facts)
        metadata = {
            "format": "hdf5", "files": [item["name"] for item in files], "shape": [axis["size"] for axis in told],
            "chunks": dataset.chunks and list(dataset.chunks), "compression": dataset.compression,
            "dimensions": told, **hdf5_facts.attributes_by_path(objects(file, first)), **more,
        }  # fmt: skip
        threads = request["limits"]["threads"]
        source = Hdf5Source(parts, path, dataset, timed, fill_values(dataset), metadata, summary, threads)
    result = convert(source, request, reporter)  # the source opens the file anew, with a cache for its chunks
    coordinates.write(request["output"], long)
    return result


if __name__ == "__main__":
    run_program(main)
