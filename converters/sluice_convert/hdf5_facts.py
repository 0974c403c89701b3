"""What a viewer and a reader need beside the voxels of an HDF5 dataset: attributes, axes, units, voxel size."""

import h5py
import numpy as np

from .hdf5_file import resolve
from .hdf5_source import attributes
from .plain import plain

MOST_OBJECTS = 2000
MOST_COORDINATES = 4096
VOXEL_SIZES = ("element_size_um", "voxel_size", "resolution", "spacing")
EVEN = 1e-6


def attributes_by_path(found):
    """{path: attributes} of the objects that have some, the first of many."""
    told = {}
    for path, thing in found:
        facts = attributes(thing)
        if facts and len(told) < MOST_OBJECTS:
            told[path] = facts
    return told


def axes(file, path, dataset, name):
    """Per axis, in the order of storage: name, size, and units, values and spacing where the file tells them."""
    return [_axis(size, *_scale(file, path, dataset, axis, name)) for axis, size in enumerate(dataset.shape)]


def _scale(file, path, dataset, axis, name):
    """(name, 1-D dataset or None) of an axis: a dimension scale, else the one that NeXus's `axes` names."""
    label = dataset.dims[axis].label
    scales = [scale for scale in dataset.dims[axis].values() if scale.ndim == 1]
    if scales:
        return label or scales[0].name.rpartition("/")[2], scales[0]
    named = _nexus_axes(file, path, dataset)
    if axis < len(named) and named[axis] not in ("", "."):
        near = resolve(file, f"{path.rpartition('/')[0]}/{named[axis]}", name)
        return label or named[axis], near if isinstance(near, h5py.Dataset) else None
    return label or f"axis {axis}", None


def _nexus_axes(file, path, dataset):
    """Names in the attribute `axes` of the dataset, or of its group when the dataset is the group's signal."""
    value = attributes(dataset).get("axes")
    if value is None:
        folder, _, last = path.rpartition("/")
        group = attributes(file[folder] if folder and folder in file else file["/"])
        value = group.get("axes") if group.get("signal") == last else None
    if isinstance(value, str):
        return value.replace(",", ":").split(":")
    return [str(item) for item in value or []]


def _axis(size, name, scale):
    told = {"name": name, "size": size}
    if scale is None or scale.shape != (size,) or scale.dtype.kind not in "iuf":
        return told
    facts = attributes(scale)
    if "units" in facts:
        told["units"] = facts["units"]
    if size > MOST_COORDINATES:
        return told
    values = scale[()].astype(np.float64)
    told["values"] = [plain(item) for item in values.tolist()]
    steps = np.diff(values)
    if size > 1 and np.isfinite(steps).all() and steps[0] != 0 and np.ptp(steps) <= EVEN * abs(steps[0]):
        told["spacing"] = float(steps.mean())
    return told


def voxel_size(dataset, told):
    """Size of a voxel along each axis in the order of storage, by an attribute or by even coordinates; or None."""
    facts = attributes(dataset)
    for key in VOXEL_SIZES:
        value = facts.get(key)
        if isinstance(value, list) and len(value) == dataset.ndim:
            return value
    spacing = [axis.get("spacing") for axis in told]
    return spacing if any(value is not None for value in spacing) else None
