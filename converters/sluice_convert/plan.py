"""How a volume is cut: slabs are read and written in one piece, blocks are what the proof has digests of.

Shapes are (depth, height, width) in voxels; a 2-D image has depth 1. Boxes are half open: (z0, z1, y0, y1),
always over the full width. Starts and thicknesses are powers of two, so slabs meet OpenVisus block borders.
"""

FEWEST_BLOCK_BYTES, MOST_BLOCK_BYTES = 1 << 20, 8 << 20
MOST_BLOCKS = 4096
BLOCK_BITS = 16  # OpenVisus's default: 65,536 voxels in a block
FEWEST_ROWS = 16


def power_of_two_below(number):
    """The largest power of two <= number, at least 1."""
    return 1 << (max(1, int(number)).bit_length() - 1)


def power_of_two_above(number):
    """The smallest power of two >= number."""
    return 1 << (max(1, int(number)) - 1).bit_length()


def block_thickness(shape):
    """Slices that a block of the finest level spans, by the order in which OpenVisus divides a volume.

    From the finest division to the coarsest it halves the axis that is longest by then, on a tie the last one. A
    thinner slab would meet every block several times: to write it, and to read and decompress it for the proof.
    """
    sizes = [power_of_two_above(size) for size in shape]
    thickness = 1
    for _ in range(BLOCK_BITS + 1):  # the finest level holds every second voxel
        axis = sizes.index(max(sizes))
        if sizes[axis] == 1:
            break
        sizes[axis] //= 2
        thickness *= 2 if axis == 0 else 1
    return thickness


def slab_size(shape, voxel_bytes, limit, row_access):
    """(thickness, rows) of a slab of at most `limit` bytes.

    Big slices are cut into bands of rows over several slices when the source can read rows cheaply;
    otherwise a slab is whole slices, or rows of one slice that the source keeps decoded.
    """
    depth, height, width = shape
    row = width * voxel_bytes
    wanted = block_thickness(shape)
    if row * height * wanted <= limit or not row_access:
        thickness = min(power_of_two_below(limit // (row * height)), power_of_two_above(depth))
        rows = height if row * height <= limit else power_of_two_below(limit // row)
        return thickness, rows
    while wanted > 1 and row * wanted * FEWEST_ROWS > limit:
        wanted //= 2
    return wanted, min(height, power_of_two_below(limit // (row * wanted)))


def cut(box, thickness, rows):
    """Cut (z0, z1, y0, y1) into pieces of `thickness` slices and `rows` rows, in z-major order."""
    z0, z1, y0, y1 = box
    for z in range(z0, z1, thickness):
        for y in range(y0, y1, rows):
            yield z, min(z + thickness, z1), y, min(y + rows, y1)


def slabs(shape, voxel_bytes, limit, row_access=True):
    """The slabs of one timestep."""
    thickness, rows = slab_size(shape, voxel_bytes, limit, row_access)
    return list(cut((0, shape[0], 0, shape[1]), thickness, rows))


def proof_block_bytes(raw):
    """Bytes of a proof block for a volume of `raw` bytes: small, so that a sample is cheap to read; larger where the
    proof's own list would grow long.
    """
    return min(MOST_BLOCK_BYTES, max(FEWEST_BLOCK_BYTES, power_of_two_below(raw // MOST_BLOCKS)))


def blocks(slab, shape, voxel_bytes, limit):
    """The proof blocks of one slab, of at most `limit` bytes where a row is no larger: as thick as OpenVisus's own
    blocks, since a thinner one costs as much to read.
    """
    z0, z1, y0, y1 = slab
    row = shape[2] * voxel_bytes
    thickness = min(power_of_two_above(z1 - z0), block_thickness(shape))
    while thickness > 1 and row * thickness > limit:
        thickness //= 2
    return list(cut(slab, thickness, min(y1 - y0, power_of_two_below(limit // (row * thickness)))))
