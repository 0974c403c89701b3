"""How a volume is cut: slabs are read and written in one piece, blocks are what the proof has digests of.

Shapes are (depth, height, width) in voxels; a 2-D image has depth 1. Boxes are half open: slabs (z0, z1, y0, y1) go
over the full width, proof blocks are (z0, z1, y0, y1, x0, x1). Starts and sides are powers of two, so both meet
OpenVisus block borders.
"""

FEWEST_BLOCK_BYTES, MOST_BLOCK_BYTES = 1 << 18, 8 << 20
MOST_BLOCKS = 4096
BLOCK_BITS = 16  # OpenVisus's default: 65,536 voxels in a block
FEWEST_ROWS = 16


def power_of_two_below(number):
    """The largest power of two <= number, at least 1."""
    return 1 << (max(1, int(number)).bit_length() - 1)


def power_of_two_above(number):
    """The smallest power of two >= number."""
    return 1 << (max(1, int(number)) - 1).bit_length()


def block_span(shape):
    """Voxels along each axis that a block of the finest level spans, by the order in which OpenVisus divides a volume.

    From the finest division to the coarsest it halves the axis that is longest by then, on a tie the last one.
    """
    sizes, span = [power_of_two_above(size) for size in shape], [1, 1, 1]
    for _ in range(BLOCK_BITS + 1):  # the finest level holds every second voxel
        axis = sizes.index(max(sizes))
        if sizes[axis] == 1:
            break
        sizes[axis] //= 2
        span[axis] *= 2
    return span


def block_thickness(shape):
    """Slices of a finest block. A thinner slab would meet every block several times: to write it, and to read and
    decompress it for the proof.
    """
    return block_span(shape)[0]


def slab_size(shape, voxel_bytes, limit, row_access, chunk=None):
    """(thickness, rows) of a slab of at most `limit` bytes.

    `chunk` is (slices, rows) of pieces that the source decodes as a whole and cannot keep: where a thicker slab with
    fewer rows meets each of them much less often, that is taken. A thinner one would make the proof dear.
    """
    usual = usual_slab(shape, voxel_bytes, limit, row_access)
    if chunk is None or not row_access:
        return usual
    best, row = usual, shape[2] * voxel_bytes
    while best[0] < min(chunk[0], shape[0]) and row * best[0] * 2 * FEWEST_ROWS <= limit:
        best = best[0] * 2, min(shape[1], power_of_two_below(limit // (row * best[0] * 2)))
    return best if 2 * decodings(best, chunk) <= decodings(usual, chunk) else usual


def decodings(slab, chunk):
    """How many slabs of (thickness, rows) meet one chunk of (slices, rows)."""
    return -(-chunk[0] // slab[0]) * -(-chunk[1] // slab[1])


def usual_slab(shape, voxel_bytes, limit, row_access):
    """(thickness, rows) for a source whose pieces are small.

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


def slabs(shape, voxel_bytes, limit, row_access=True, chunk=None):
    """The slabs of one timestep."""
    thickness, rows = slab_size(shape, voxel_bytes, limit, row_access, chunk)
    return list(cut((0, shape[0], 0, shape[1]), thickness, rows))


def proof_block_bytes(raw, voxel_bytes):
    """Bytes of a proof block for a volume of `raw` bytes: small, so that a sample is cheap to read, but all that a block
    of OpenVisus spans; larger where the proof's own list would grow long.
    """
    spanned = voxel_bytes << BLOCK_BITS + 1
    return min(MOST_BLOCK_BYTES, max(FEWEST_BLOCK_BYTES, spanned, power_of_two_below(raw // MOST_BLOCKS)))


def blocks(slab, shape, voxel_bytes, limit):
    """The proof blocks of one slab, of at most `limit` bytes: whole blocks of OpenVisus side by side, since a part of
    one costs as much to read.
    """
    z0, z1, y0, y1 = slab
    most = [power_of_two_above(extent) for extent in (z1 - z0, y1 - y0, shape[2])]
    sides = [min(span, side) for span, side in zip(block_span(shape), most)]
    while voxel_bytes * sides[0] * sides[1] * sides[2] > limit and max(sides) > 1:
        sides[sides.index(max(sides))] //= 2
    for axis in (2, 1, 0):  # neighbours in a row first
        while sides[axis] < most[axis] and 2 * voxel_bytes * sides[0] * sides[1] * sides[2] <= limit:
            sides[axis] *= 2
    return [
        (*box, x, min(x + sides[2], shape[2]))
        for box in cut(slab, sides[0], sides[1])
        for x in range(0, shape[2], sides[2])
    ]
