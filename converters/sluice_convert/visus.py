"""The one place that imports OpenVisus and knows its manners."""

import os

import numpy as np

from .report import Fault

# Read from OpenVisus as they were written, bit for bit (test_types checks each of them).
SUPPORTED = frozenset(np.dtype(name) for name in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"))
MOST_COMPONENTS = 16


def openvisus():
    """Import late: the import takes a while, and bad input should be told before it."""
    import OpenVisus

    return OpenVisus


def dtype_name(dtype, components):
    """The OpenVisus name of a voxel type: `uint16`, or `uint8[3]` for several samples in a voxel."""
    return np.dtype(dtype).name + (f"[{components}]" if components > 1 else "")


def check_type(dtype, components, what):
    """Refuse what OpenVisus cannot keep exactly. `what` names the file or variable in the sentence."""
    dtype = np.dtype(dtype)
    if dtype.newbyteorder("=") not in SUPPORTED:
        raise Fault(
            "unsupported_type",
            f"{what} holds values of type {dtype.name}, which an OpenVisus dataset cannot keep unchanged. "
            "Save it as an integer type of 8 to 64 bits or as float32 or float64.",
        )
    if components > MOST_COMPONENTS:
        raise Fault(
            "unsupported_samples",
            f"{what} has {components} samples in each pixel; at most {MOST_COMPONENTS} are possible. "
            "Save each channel as its own file, or use the sensor TIFF RGB for colour photographs.",
        )


def check_dims(dims):
    """OpenVisus cannot describe a dataset whose last axis has a single voxel."""
    if dims[-1] < 2:
        raise Fault(
            "unsupported_shape",
            f"The data are {' x '.join(map(str, dims))} voxels; the last axis needs at least two. "
            "Give an image with at least two rows, or more slices.",
        )


def load(path):
    """Open a dataset with stock OpenVisus. Raises its own exception when the file is not one."""
    return openvisus().LoadDataset(os.path.abspath(path))


CACHE_BYTES = 8 << 20
CACHED = (
    f"<access type='multiplex'><access type='ram' available='{CACHE_BYTES}' chmod='rw'/>"
    "<access type='disk' chmod='r'/></access>"
)


def reading(dataset):
    """An access to read with, which keeps some unpacked blocks: each box needs the coarse blocks around it, and these
    are the same for many boxes. That halves the time of a proof.
    """
    if dataset.getDatasetTypeName() != "IdxDataset":  # one that joins others is not read from files of its own
        return dataset.createAccess()
    return dataset.createAccess(openvisus().StringTree.fromString(CACHED))


def read_box(dataset, access, box, timestep, field=None):
    """Read [[x0,y0,z0],[x1,y1,z1]] (or the 2-D form) at full resolution; array axes are reversed, components last.

    OpenVisus fills what it cannot read with zeros and says nothing, so only a digest tells.
    """
    rank = dataset.getPointDim()
    lower, upper = [int(v) for v in box[0][:rank]], [int(v) for v in box[1][:rank]]
    values = dataset.read(logic_box=(lower, upper), time=timestep, field=field, access=access)
    expected = [high - low for low, high in zip(lower, upper)][::-1]
    components = values.size // max(1, int(np.prod(expected)))
    return values.reshape(expected + ([components] if components > 1 else []))
