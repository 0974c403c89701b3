"""Converter for the sensor NETCDF: one variable of NetCDF files -> one OpenVisus dataset.

The variable is `parameters.variable`, or the largest numeric one. 2-D = an image; 3-D = timesteps of images if the
first axis is time, else a volume; 4-D = timesteps of volumes. Several files follow one another in time, in natural
order of their names. Stored values are kept bit for bit: packing and fill values are recorded, never applied.
"""

from sluice_convert.chosen import chosen, named
from sluice_convert.report import Fault, run_program
from sluice_convert.sniff import is_netcdf

ENDINGS = (".nc", ".nc3", ".nc4", ".cdf", ".netcdf")
# Files may follow one another only if a stored number means the same in each.
MEANING = ("units", "scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")


def taken(inputs):
    """The NetCDF files among the inputs, by name or content, in natural order."""
    by_name, advice = named(ENDINGS), " Upload one or choose another sensor."
    return chosen(
        inputs, "NetCDF file", lambda item: by_name(item) or is_netcdf(item["path"]),
        "not_netcdf", "NetCDF file", advice,
    )  # fmt: skip


def steps_in(variable, name):
    """Timesteps that a file contributes. Raises empty_input when an axis has no entries yet."""
    from sluice_convert.netcdf_source import split

    if 0 in variable.shape:
        empty = variable.dimensions[variable.shape.index(0)]
        raise Fault("empty_input", f"{variable.name} in {name} is empty: its axis {empty} has no entries.")
    return variable.shape[0] if split(variable)[0] else 1


def check_alike(first, second, first_name, second_name):
    """A file that continues another must hold the same grid, the same type and the same meaning of numbers."""
    from sluice_convert.netcdf_source import attributes, split

    for what, left, right in (
        ("shape", split(first)[1], split(second)[1]),
        ("type", first.dtype.newbyteorder("="), second.dtype.newbyteorder("=")),
        *((key, attributes(first).get(key), attributes(second).get(key)) for key in MEANING),
    ):
        if left != right:
            raise Fault(
                "slice_mismatch",
                f"{first_name} and {second_name} cannot follow one another: the {what} of {first.name} is {left} in "
                f"the first and {right} in the second. Upload them as separate datasets.",
            )


def continued(files, path, variable, axes):
    """([(path, name, steps)], [(name, time axis or moment)], what else the files say of themselves) over all files."""
    from sluice_convert import netcdf_source as source
    from sluice_convert.coordinates import check_places
    from sluice_convert.netcdf_pick import opened, pick
    from sluice_convert.plain import Differing
    from sluice_convert.report import reading

    timed, first = source.split(variable)[0], files[0]["name"]
    parts, times, told = [], [], Differing()
    for number, item in enumerate(files):
        name = item["name"]
        with opened(item["path"], name) as dataset, reading(name):
            _, other = pick(dataset, name, path)
            parts.append((item["path"], name, steps_in(other, name)))
            found = source.axes(other, name) if number > 0 else axes
            if number > 0:
                check_alike(variable, other, first, name)
                check_places(axes[timed:], found[timed:], first, name)
            told.add(name, {"/": source.attributes(dataset), path: source.attributes(other)})
            times.append((name, found[0] if timed else source.moment(other, name)))
    return parts, times if all(axis for _, axis in times) else [], told.found()


def main(request, reporter):
    files = taken(request["inputs"])
    from sluice_convert import coordinates
    from sluice_convert import netcdf_source as source
    from sluice_convert.netcdf_pick import opened, pick
    from sluice_convert.product import convert
    from sluice_convert.report import reading
    from sluice_convert.visus import check_type

    wanted, name, long = (request.get("parameters") or {}).get("variable"), files[0]["name"], {}
    with opened(files[0]["path"], name) as dataset, reading(name):
        path, variable = pick(dataset, name, wanted)
        steps_in(variable, name)
        check_type(variable.dtype, 1, f"{path} in {name}")
        axes = source.axes(variable, name)
        parts, times, more = continued(files, path, variable, axes)
        timed, spatial = source.split(variable)
        squeezed = None if source.squeezed_axis(variable) is None else axes[source.squeezed_axis(variable)].name
        facts, steps = source.attributes(variable), sum(count for _, _, count in parts)
        told = source.told(axes if timed else [axis for _, axis in times[:1]] + axes, times, squeezed, long)
        in_time = timed or (len(files) > 1 and bool(times))
        names = [axis for axis, entry in told.items() if "squeezed" not in entry]
        names = names if in_time or not times else names[1:]
        summary = {"variable": path, "axes": names[::-1], "file_count": len(files)}
        summary |= {"time_axis": names[0] if in_time else None}
        summary |= {key: facts[key] for key in ("long_name", "standard_name", *MEANING) if key in facts}
        metadata = {
            "format": "netcdf", "files": [item["name"] for item in files], "shape": [steps, *spatial],
            "attributes": facts, "global_attributes": source.attributes(dataset), "dimensions": told, **more,
        }  # fmt: skip
        voxels = source.NetcdfSource(parts, path, variable, metadata, summary, request["limits"]["threads"])
    result = convert(voxels, request, reporter)
    coordinates.write(request["output"], long)
    return result


if __name__ == "__main__":
    run_program(main)
