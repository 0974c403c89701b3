"""Converter for the sensor NETCDF: one variable of NetCDF files -> one OpenVisus dataset.

The variable is `parameters.variable`, or the largest numeric one. 2-D = an image; 3-D = timesteps of images if the
first axis is time, else a volume; 4-D = timesteps of volumes. Several files follow one another in time, in natural
order of their names. Stored values are kept bit for bit: packing and fill values are recorded, never applied.
"""

from sluice_convert.chosen import chosen, named
from sluice_convert.report import Fault, run_program

ENDINGS = (".nc", ".nc3", ".nc4", ".cdf", ".netcdf")
# Files may follow one another only if a stored number means the same in each.
MEANING = ("units", "scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")


def taken(inputs):
    """The NetCDF files among the inputs, in natural order."""
    advice = " Upload one or choose another sensor."
    return chosen(inputs, "NetCDF file", named(ENDINGS), "not_netcdf", "NetCDF file (.nc)", advice)


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


def continued(files, path, variable):
    """[(path, name, steps)] over all files."""
    from sluice_convert.netcdf_pick import opened, pick

    parts = [(files[0]["path"], files[0]["name"], steps_in(variable, files[0]["name"]))]
    for item in files[1:]:
        dataset = opened(item["path"], item["name"])
        _, other = pick(dataset, item["name"], path)
        check_alike(variable, other, files[0]["name"], item["name"])
        parts.append((item["path"], item["name"], steps_in(other, item["name"])))
        dataset.close()
    return parts


def main(request, reporter):
    files = taken(request["inputs"])
    from sluice_convert.netcdf_pick import opened, pick
    from sluice_convert.netcdf_source import NetcdfSource, attributes, coordinates, split
    from sluice_convert.product import convert
    from sluice_convert.visus import check_type

    dataset = opened(files[0]["path"], files[0]["name"])
    wanted = (request.get("parameters") or {}).get("variable")
    path, variable = pick(dataset, files[0]["name"], wanted)
    parts = continued(files, path, variable)
    check_type(variable.dtype, 1, f"{path} in {files[0]['name']}")
    timed, spatial = split(variable)
    facts, steps = attributes(variable), sum(count for _, _, count in parts)
    axes = list(variable.dimensions[::-1])
    summary = {"variable": path, "axes": axes, "file_count": len(files), "time_axis": axes[-1] if timed else None}
    summary |= {key: facts[key] for key in ("long_name", "standard_name", *MEANING) if key in facts}
    metadata = {
        "format": "netcdf", "files": [item["name"] for item in files], "shape": [steps, *spatial],
        "attributes": facts, "global_attributes": attributes(dataset), "dimensions": coordinates(variable),
    }  # fmt: skip
    source = NetcdfSource(parts, path, variable, metadata, summary)
    return convert(source, request, reporter)


if __name__ == "__main__":
    run_program(main)
