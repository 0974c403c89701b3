"""The coarse resolutions of an OpenVisus dataset held against its finest: each is every second, fourth, ... voxel."""

import numpy as np

from .differences import differs
from .visus import read_box

MOST_LEVELS = 9
MOST_VOXELS = 1 << 18


def check_levels(dataset, proof, block):
    """Compare the coarse resolutions in one proof block; returns how many. Raises `product_differs`."""
    low, _ = ([int(v) for v in corner] for corner in dataset.getLogicBox())
    if proof.get("joined") or "entry" in block or any(low):
        return 0
    rank, bits = dataset.getPointDim(), dataset.getBitmask().toString()[1:]
    lower, upper = ([int(v) for v in corner[:rank]] for corner in block["box"])
    upper = upper[:-1] + [min(upper[-1], lower[-1] + max(1, MOST_VOXELS // _voxels(lower[:-1], upper[:-1])))]
    field, access = block.get("field", proof["field"]), dataset.createAccess()
    finest = read_box(dataset, access, [lower, upper], block["timestep"], field)
    strides, checked = [1] * rank, 0
    for dropped in range(1, min(MOST_LEVELS, len(bits) - 1) + 1):
        strides[int(bits[-dropped])] *= 2
        first = [-(-place // stride) * stride for place, stride in zip(lower, strides)]
        if any(place >= end for place, end in zip(first, upper)):
            break  # the block holds no voxel of this resolution
        steps = [slice(f - l, None, s) for f, l, s in zip(first, lower, strides)][::-1]
        coarse = dataset.read(
            logic_box=(lower, upper), time=block["timestep"], field=field, access=access,
            max_resolution=len(bits) - dropped,
        )  # fmt: skip
        wanted = finest[tuple(steps)]
        if coarse.shape != wanted.shape or not np.array_equal(coarse, wanted, equal_nan=wanted.dtype.kind == "f"):
            raise differs(
                f"The product's resolution {len(bits) - dropped} of {len(bits)} is not that of its finest voxels in "
                f"the field {field} at timestep {block['timestep']} in the box {lower} to {upper}."
            )
        checked += 1
    return checked


def _voxels(lower, upper):
    voxels = 1
    for low, high in zip(lower, upper):
        voxels *= high - low
    return max(1, voxels)
