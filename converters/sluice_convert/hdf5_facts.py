"""What a viewer and a reader need beside the voxels of an HDF5 dataset: attributes, axes, units, voxel size."""

import h5py

from . import coordinates
from .coordinates import Coordinate
from .hdf5_file import resolve, values
from .hdf5_pick import numeric
from .hdf5_source import attributes
from .report import reading

MOST_OBJECTS = 2000
VOXEL_SIZES = ("element_size_um", "voxel_size", "resolution", "spacing")
MICROMETRES = ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres")


def attributes_by_path(found):
    """{"attributes": {path: attributes}} of the objects that have some, and how many of very many are left out."""
    told, left_out = {}, 0
    for path, thing in found:
        facts = attributes(thing)
        if facts and len(told) < MOST_OBJECTS:
            told[path] = facts
        elif facts:
            left_out += 1
    return {"attributes": told} | ({"objects_left_out": left_out} if left_out else {})


def above(file, path, name):
    """[(path, object)] of the root, the groups on the way to a dataset, and itself."""
    parts = [part for part in path.split("/") if part]
    paths = ["/", *("/" + "/".join(parts[: count + 1]) for count in range(len(parts)))]
    return [(one, resolve(file, one, name)) for one in paths]


def axes(file, path, dataset, name):
    """A Coordinate for each axis, in the order of storage. Raises what reading them does: see `values`."""
    with reading(name):
        return [_axis(size, *_scale(file, path, dataset, axis, name), name) for axis, size in enumerate(dataset.shape)]


def _scale(file, path, dataset, axis, name):
    """(name, 1-D dataset or None) of an axis: a dimension scale, else the one that NeXus's `axes` names."""
    label = dataset.dims[axis].label
    scales = [scale for scale in dataset.dims[axis].values() if scale.ndim == 1]
    if scales:
        return label or _last(scales[0].name or f"axis {axis}"), scales[0]
    named = _nexus_axes(file, path, dataset, name)
    if axis < len(named) and named[axis] not in ("", "."):
        near = resolve(file, f"{path.rpartition('/')[0]}/{named[axis]}", name)
        return label or named[axis], near if isinstance(near, h5py.Dataset) else None
    return label or f"axis {axis}", None


def _last(path):
    return path.rpartition("/")[2]


def _nexus_axes(file, path, dataset, name):
    """Names in the attribute `axes` of the dataset, or of its group when the dataset is the group's signal."""
    value = attributes(dataset).get("axes")
    if value is None:
        folder, _, last = path.rpartition("/")
        group = attributes(resolve(file, folder, name) or file["/"])
        value = group.get("axes") if group.get("signal") == last else None
    if isinstance(value, str):
        return value.replace(",", ":").split(":")
    return [str(item) for item in value] if isinstance(value, list) else []


def _axis(size, label, scale, name):
    if scale is None or scale.shape != (size,) or not numeric(scale):
        return Coordinate(label, size)
    where = scale.name or label
    found = coordinates.read(size, lambda part: values(scale, where, name, part))
    return Coordinate(label, size, found, attributes(scale))


def told(axes, parts, squeezed, long):
    """`dimensions` of metadata.json. `parts` is [(file, its time axis)] if the first axis is time, else empty."""
    told = []
    for number, axis in enumerate(axes):
        over_time = parts and number == 0
        entry = {"name": axis.name, "size": sum(one.size for _, one in parts) if over_time else axis.size}
        if "units" in axis.facts:
            entry["units"] = axis.facts["units"]
        entry |= coordinates.told_over_time(parts, long) if over_time else coordinates.told(axis, long)
        told.append(entry | ({"squeezed": True} if number == squeezed else {}))
    return told


def voxel_size(dataset, told, timed):
    """Size of a voxel along each axis in the order of storage, by an attribute or by even coordinates; or None.

    `told` are the `dimensions` of metadata.json; one that is squeezed out has no size. Axes without a unit get that
    which the name of the attribute says; those with another one keep their own spacing.
    """
    unit, stored = _stored_sizes(dataset)
    sizes = []
    for number, (axis, size) in enumerate(zip(told, stored or [None] * len(told))):
        in_space = number > 0 or not timed
        if size is not None and unit is not None and in_space and axis.setdefault("units", unit) not in MICROMETRES:
            size = None
        sizes.append(axis.get("spacing") if size is None else size)
    kept = [size for size, axis in zip(sizes, told) if "squeezed" not in axis]
    return kept if any(value is not None for value in kept) else None


def size_attribute(dataset):
    """Sizes of a voxel in an attribute of the dataset, or None."""
    return _stored_sizes(dataset)[1]


def _stored_sizes(dataset):
    """(the unit that is in the attribute's name, sizes), each None where there is none."""
    facts = attributes(dataset)
    for key in VOXEL_SIZES:
        value = facts.get(key)
        if isinstance(value, list) and len(value) == dataset.ndim:
            return "um" if key.endswith("_um") else None, value
    return None, None
