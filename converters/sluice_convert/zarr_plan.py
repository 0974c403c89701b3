"""How a Zarr product is cut: chunks that never cross a slab, and levels that each halve the long axes.

Shapes are (depth, height, width) in voxels, as in `plan`; a 2-D image has depth 1.
"""

from . import plan

CHUNK_BYTES = 1 << 20
SHORT_SIDE = 128  # an axis of so few voxels is not halved any more


def chunk_sides(shape, voxel_bytes, thickness, rows):
    """Sides of a chunk of about CHUNK_BYTES, powers of two, inside slabs of `thickness` slices and `rows` rows.

    As thin as the proof's blocks, so that few chunks are read for one of them.
    """
    sides = [min(thickness, plan.block_thickness(shape)), rows, plan.power_of_two_above(shape[2])]
    if rows >= shape[1]:
        sides[1] = plan.power_of_two_above(shape[1])
    while sides[0] * sides[1] * sides[2] * voxel_bytes > CHUNK_BYTES and max(sides) > 1:
        sides[max(range(3), key=lambda axis: (sides[axis], axis))] //= 2
    return sides


def levels(shape):
    """[(shape, strides)] from the finest on: each level is every second voxel of the one above, along long axes."""
    shape, strides, found = list(shape), [1, 1, 1], []
    while True:
        found.append((tuple(shape), tuple(strides)))
        if max(shape) <= SHORT_SIDE:
            return found
        for axis, size in enumerate(shape):
            if size > SHORT_SIDE:
                shape[axis], strides[axis] = -(-size // 2), strides[axis] * 2


def chunk_starts(box, sides):
    """The first voxel of every chunk that meets a box [(low, high)] of each axis, in z-major order."""
    ranges = [range(low // side * side, high, side) for (low, high), side in zip(box, sides)]
    return [(z, y, x) for z in ranges[0] for y in ranges[1] for x in ranges[2]]
