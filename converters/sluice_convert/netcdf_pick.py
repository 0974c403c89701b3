"""Opens NetCDF files honestly and picks the variable to convert."""

import os

import netCDF4
import numpy as np

from .hdf5_file import check_inside
from .netcdf_classic import HeaderCut, promised_size
from .report import Fault, reading, truncated
from .sniff import meant

CLASSIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
HDF5 = b"\x89HDF\r\n\x1a\n"
RANKS = (2, 3, 4)


def opened(path, name):
    """A netCDF4.Dataset that gives stored values. Raises Fault: empty_input, not_netcdf, truncated."""
    size = os.path.getsize(path)
    if size == 0:
        raise Fault("empty_input", f"{name} is empty (0 bytes). Upload it again.")
    with open(path, "rb") as file:
        magic = file.read(8)
    if magic[:4] not in CLASSIC and magic != HDF5:
        raise Fault(
            "not_netcdf",
            f"{name} is not a NetCDF file, whatever its name says.{meant(path)} "
            "Save it as NetCDF, or choose another sensor.",
        )
    if magic[:4] in CLASSIC:
        _check_size(path, name, size)
    else:
        check_inside(path, name)
    with reading(name):
        dataset = netCDF4.Dataset(path)
    dataset.set_auto_maskandscale(False)
    return dataset


def _check_size(path, name, size):
    try:
        promised = promised_size(path)
    except HeaderCut as error:
        raise truncated(name, "its header is incomplete") from error
    if promised > size:
        raise truncated(name, f"{promised - size} of {promised} bytes are missing")


def variables(dataset, prefix=""):
    """Every variable by its path, in groups too."""
    found = {prefix + name: variable for name, variable in dataset.variables.items()}
    for name, group in dataset.groups.items():
        found |= variables(group, f"{prefix}{name}/")
    return found


def numeric(variable):
    """Whether its stored values are numbers (not text, compounds or ragged arrays)."""
    return isinstance(variable.dtype, np.dtype) and variable.dtype.kind in "iuf"


def helpers(found):
    """Names of variables that only describe others: coordinates, bounds, grid mappings."""
    names = set()
    for path, variable in found.items():
        group = path.rpartition("/")[0]
        if path.rpartition("/")[2] in variable.dimensions:
            names.add(path)
        for attribute in (
            "coordinates",
            "bounds",
            "climatology",
            "grid_mapping",
            "cell_measures",
            "ancillary_variables",
        ):
            text = getattr(variable, attribute, "") if attribute in variable.ncattrs() else ""
            names |= {f"{group}/{word}".lstrip("/") for word in str(text).split()}
    return names


def pick(dataset, name, wanted):
    """(path, variable) of the variable to convert: the named one, else the largest numeric one of 2 to 4 dimensions."""
    found = variables(dataset)
    if wanted:
        return wanted, _named(found, name, wanted)
    skipped = helpers(found)
    usable = {p: v for p, v in found.items() if numeric(v) and v.ndim in RANKS and p not in skipped}
    if not usable:
        there = "; ".join(describe(path, variable) for path, variable in found.items()) or "nothing"
        raise Fault(
            "no_numeric_variable", f"{name} has no numeric data variable of 2 to 4 dimensions. It holds: {there}."
        )
    path = max(usable, key=lambda p: usable[p].size * usable[p].dtype.itemsize)
    return path, usable[path]


def _named(found, name, wanted):
    if wanted not in found:
        there = "; ".join(describe(path, variable) for path, variable in found.items())
        raise Fault("no_such_variable", f"{name} has no variable {wanted}. It holds: {there}.")
    variable = found[wanted]
    if not numeric(variable):
        raise Fault("unsupported_type", f"{wanted} in {name} does not hold numbers. Choose another variable.")
    if variable.ndim not in RANKS:
        raise Fault("unsupported_shape", f"{wanted} in {name} has {variable.ndim} dimensions; 2 to 4 are possible.")
    return variable


def describe(path, variable):
    """`name (time 12, lat 90) int16` for a sentence."""
    axes = ", ".join(f"{dim} {size}" for dim, size in zip(variable.dimensions, variable.shape))
    kind = variable.dtype.name if isinstance(variable.dtype, np.dtype) else "text"
    return f"{path} ({axes}) {kind}"


def dimension(variable, name):
    """The dimension object, looked up through the parent groups."""
    group = variable.group()
    while name not in group.dimensions:
        group = group.parent
    return group.dimensions[name]


def coordinate(variable, name):
    """The coordinate variable of a dimension, or None."""
    group = variable.group()
    while group is not None:
        if name in group.variables:
            return group.variables[name]
        group = group.parent
    return None


def time_like(variable):
    """Whether the first axis is time: by its name, by units `… since …`, or because it is unlimited."""
    name = variable.dimensions[0]
    axis = coordinate(variable, name)
    units = str(getattr(axis, "units", "")) if axis is not None and "units" in axis.ncattrs() else ""
    return name.lower() in ("time", "t") or " since " in units or dimension(variable, name).isunlimited()
