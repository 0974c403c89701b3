"""Which dataset of an HDF5 file is converted, and why another is not."""

import h5py
import numpy as np

from .hdf5_file import objects, resolve
from .report import Fault

RANKS = (2, 3, 4)
MOST_LISTED = 20


def numeric(dataset):
    """Whether its values are plain numbers (not text, compounds, references, ragged arrays)."""
    dtype = type_of(dataset)
    if dtype is None:
        return False
    plain = dtype.kind in "iuf" and dtype.metadata is None
    return plain or h5py.check_enum_dtype(dtype) is not None


def type_of(dataset):
    """Its type for numpy, or None: HDF5 has some that numpy has not, such as times."""
    try:
        return dataset.dtype
    except TypeError:
        return None


def pick(file, name, wanted):
    """(path, dataset): the named one, else the largest numeric one of 2 to 4 dimensions, the first of equals."""
    return (wanted, named(file, name, wanted)) if wanted else largest(file, name, RANKS, RANKS)


def largest(file, name, preferred, ranks):
    """(path, dataset) with most bytes among the numeric ones of `preferred` ranks, else of `ranks`."""
    datasets = [(path, thing) for path, thing in objects(file, name) if isinstance(thing, h5py.Dataset)]
    usable = [(path, thing) for path, thing in datasets if _usable(thing, ranks)]
    if not usable:
        raise Fault(
            "no_numeric_dataset",
            f"{name} has no numeric dataset of {ranks[0]} to {ranks[-1]} dimensions with values in it. "
            f"It holds: {listed(datasets)}.",
        )
    best = [item for item in usable if item[1].ndim in preferred] or usable
    return max(best, key=lambda item: item[1].size * item[1].dtype.itemsize)


def _usable(dataset, ranks):
    return dataset.shape is not None and dataset.ndim in ranks and 0 not in dataset.shape and numeric(dataset)


def named(file, name, wanted, ranks=RANKS):
    """The dataset at a path. Raises no_such_dataset listing what is there, unsupported_type, unsupported_shape."""
    found = resolve(file, wanted, name)
    if not isinstance(found, h5py.Dataset):
        datasets = [(path, thing) for path, thing in objects(file, name) if isinstance(thing, h5py.Dataset)]
        what = "has no dataset" if found is None else "has a group, not a dataset, at"
        raise Fault("no_such_dataset", f"{name} {what} {wanted}. It holds: {listed(datasets)}.")
    if found.shape is None or 0 in found.shape:
        raise Fault("empty_input", f"{wanted} in {name} is empty: {describe(wanted, found)}.")
    if not numeric(found):
        raise Fault(
            "unsupported_type", f"{describe(wanted, found)} in {name} does not hold plain numbers. Choose another one."
        )
    if found.ndim not in ranks:
        most = f"{ranks[0]} to {ranks[-1]}" if len(ranks) > 1 else str(ranks[0])
        raise Fault(
            "unsupported_shape",
            f"{describe(wanted, found)} in {name} has {found.ndim} dimensions; {most} are possible.",
        )
    return found


def listed(datasets):
    """A bounded list of datasets for a sentence."""
    words = [describe(path, thing) for path, thing in datasets[:MOST_LISTED]]
    more = len(datasets) - len(words)
    return ("; ".join(words) + (f"; and {more} more" if more > 0 else "")) or "no dataset"


def describe(path, dataset):
    """`/entry/data (12 x 90) int16` for a sentence."""
    shape = "no value" if dataset.shape is None else " x ".join(map(str, dataset.shape)) or "one value"
    return f"{path} ({shape}) {kind(type_of(dataset))}"


def kind(dtype):
    """The name of a type for people."""
    if dtype is None:
        return "of another type"
    if h5py.check_string_dtype(dtype) is not None or dtype.kind in "SU":
        return "text"
    if dtype.names:
        return f"compound of {', '.join(dtype.names[:8])}"
    if h5py.check_vlen_dtype(dtype) is not None:
        return "ragged arrays"
    return np.dtype(dtype).name
