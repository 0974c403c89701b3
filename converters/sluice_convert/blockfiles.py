"""OpenVisus block files (idx version 6): layout check and rewriting of raw blocks with a codec.

A file is 40 zero bytes, then per block ten big-endian uint32 (words 2 to 5: offset low, offset high, size,
flags), then the blocks. Flags: low four bits 0 = raw, 3 = zip, 7 = lz4; 0x10 = row major. Size 0 = block never written.
"""

import os
from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np

HEADER_BYTES = 40
OFFSET_LOW, OFFSET_HIGH, SIZE, FLAGS = 2, 3, 4, 5
COMPRESSION_MASK = 0x0F
FLAG_OF = {"zip": 0x03, "lz4": 0x07}
# Level 1 of isal reaches about ten times the speed of zlib level 6 for a tenth more bytes.
LEVEL = 1


class BlockFileError(Exception):
    """A block file, `path`, is shorter than its own table says."""

    def __init__(self, why, path=None):
        super().__init__(why)
        self.path = path


def read_table(file, count):
    """The block table as uint32[count, 10]. Raises BlockFileError when the file is cut inside it."""
    if os.fstat(file.fileno()).st_size < (1 + count) * HEADER_BYTES:  # before room is made for what an index promises
        raise BlockFileError("it ends inside its block table")
    file.seek(HEADER_BYTES)
    raw = file.read(count * HEADER_BYTES)
    return np.frombuffer(raw, ">u4").reshape(count, 10).astype(np.uint32)


def extents(table):
    """(offsets, sizes) in bytes of each block, uint64."""
    offsets = table[:, OFFSET_LOW].astype(np.uint64) + (table[:, OFFSET_HIGH].astype(np.uint64) << np.uint64(32))
    return offsets, table[:, SIZE].astype(np.uint64)


def checked_table(path, count):
    """The block table of a file. Raises BlockFileError, naming the file, when a block reaches past its end."""
    with open(path, "rb") as file:
        try:
            table = read_table(file, count)
        except BlockFileError as error:
            raise BlockFileError(str(error), path) from error
        offsets, sizes = extents(table)
        end = int((offsets + sizes)[sizes > 0].max(initial=0))
        if end > os.fstat(file.fileno()).st_size:
            raise BlockFileError("it is cut off before its last block", path)
    return table


def block_files(directory):
    """Every block file of a product, sorted."""
    return sorted(
        os.path.join(parent, name) for parent, _, names in os.walk(directory) for name in names if name.endswith(".bin")
    )


def remove_unbegun(paths, count):
    """Remove files that a kill left without a whole block table: no block is in them, and OpenVisus fails on them."""
    for path in paths:
        if os.path.getsize(path) < HEADER_BYTES * (1 + count):
            os.remove(path)


def packer(codec):
    """bytes -> bytes as OpenVisus reads them under that name."""
    if codec == "lz4":
        from imagecodecs import lz4_encode

        return lz4_encode
    from isal import isal_zlib

    return lambda raw: isal_zlib.compress(raw, LEVEL)


def recompress(path, in_file, block_bytes, codec):
    """Rewrite one file of raw blocks with packed ones; returns (blocks, bytes of the new file).

    The table has `in_file` rows for each field, one field after another; `block_bytes` has a size for each field.

    Holds one block at a time; the new file replaces the old one by rename. A block that does not shrink stays raw.
    A file that holds packed blocks was done just before a kill.
    """
    partial, count = path + ".partial", in_file * len(block_bytes)
    with open(path, "rb") as source:
        table = read_table(source, count)
        offsets, sizes = extents(table)
        present = int((sizes > 0).sum())
        if (table[:, FLAGS] & COMPRESSION_MASK).any():
            return present, os.path.getsize(path)
        length = _pack(source, partial, table, offsets, sizes, in_file, block_bytes, codec)
    os.replace(partial, path)
    return present, length


def _pack(source, partial, table, offsets, sizes, in_file, block_bytes, codec):
    """Write the blocks of `source` into `partial`; returns its length."""
    pack = packer(codec)
    with open(partial, "wb") as target:
        target.seek(HEADER_BYTES * (1 + len(table)))
        for index in np.argsort(offsets, kind="stable"):
            if sizes[index] == 0:
                continue
            source.seek(int(offsets[index]))
            whole = block_bytes[index // in_file]
            raw = source.read(whole)
            if len(raw) != whole or sizes[index] != whole or table[index, FLAGS] & COMPRESSION_MASK:
                raise BlockFileError(f"block {index} is not a whole raw block")
            packed = pack(raw)
            shrunk = len(packed) < whole
            position = target.tell()
            target.write(packed if shrunk else raw)
            table[index, OFFSET_LOW] = position & 0xFFFFFFFF
            table[index, OFFSET_HIGH] = position >> 32
            table[index, SIZE] = len(packed) if shrunk else whole
            flag = FLAG_OF[codec] if shrunk else 0
            table[index, FLAGS] = (int(table[index, FLAGS]) & ~COMPRESSION_MASK) | flag
        length = target.tell()
        target.seek(0)
        target.write(bytes(HEADER_BYTES) + table.astype(">u4").tobytes())
    return length


def recompress_all(root, in_file, block_bytes, codec, threads, told, noted):
    """Recompress the block files of a product on `threads` threads (codecs work outside Python's lock).

    `told(blocks)` after each file; files that the journal `noted` knows are left. Returns (blocks, bytes) of all.
    """
    blocks = size = 0
    with ThreadPoolExecutor(max(1, threads)) as pool:
        jobs = {}
        for path in block_files(root):
            key = os.path.relpath(path, root)
            done = noted.known("file", key)
            if done is not None and done[1] == os.path.getsize(path):
                blocks, size = blocks + done[0], size + done[1]
            else:
                jobs[pool.submit(recompress, path, in_file, block_bytes, codec)] = key
        told(blocks)
        try:
            for job in as_completed(jobs):
                done = job.result()
                noted.note("file", jobs[job], done)
                blocks, size = blocks + done[0], size + done[1]
                told(blocks)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return blocks, size
