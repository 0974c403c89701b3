"""An OpenVisus dataset being written: slabs as raw blocks, which are then compressed in place."""

import os
import shutil

from . import blockfiles, plan
from .blockfiles import block_files
from .report import disk_full
from .slabs import field_of
from .visus import check_dims, dtype_name, openvisus, read_box

FILE_BYTES = 32 << 20
MOST_FILES = 16384


class IdxWriter:
    """An OpenVisus dataset being filled with raw blocks, then compressed in place."""

    copies, proof, entry = 1, {}, {"kind": "idx", "entry": "visus.idx"}

    def __init__(self, sources, output, codec):
        first = sources[0]
        self._codec = codec
        self.dims = dims_of(first)
        check_dims(self.dims)
        self.fields = list(map(field_of, sources))
        self.dtypes = [dtype_name(source.dtype, source.components) for source in sources]
        voxel_bytes = [source.dtype.itemsize * source.components for source in sources]
        self._output = output
        self._ranged = [source.components == 1 for source in sources]
        self._url = os.path.join(os.path.abspath(output), "visus.idx")
        options = {"time": (0, first.timesteps - 1, "t%05d/")} if first.timesteps > 1 else {}
        visus = openvisus()
        unlock(self._url)
        self._dataset = visus.CreateIdx(
            url=self._url, dims=self.dims, fields=[visus.Field(*named) for named in zip(self.fields, self.dtypes)],
            blocksperfile=blocks_in_file(self.dims, sum(voxel_bytes), first.timesteps), **options,
        )  # fmt: skip
        index = self._dataset.db.idxfile
        self._reading = None
        self._in_file, self._block_bytes = index.blocksperfile, [size << index.bitsperblock for size in voxel_bytes]
        blockfiles.remove_unbegun(block_files(output), self._in_file * len(sources))
        self._access = self._dataset.createAccessForBlockQuery()
        self._access.disableWriteLocks()  # nobody else knows of this dataset yet
        self._access.disableCompression()  # its own compression is several times slower than `compress`

    def write(self, timestep, box, values, field=0):
        """Write one slab. OpenVisus says only "query error", so a full disk is told apart by looking."""
        z0, _, y0, _ = box
        if len(self.dims) == 2:
            values = values[0]
        try:
            self._dataset.write(
                values, x=0, y=y0, z=z0, time=timestep, field=self.fields[field], access=self._access
            )
        except Exception as error:
            if shutil.disk_usage(self._output).free < values.nbytes + (64 << 20):
                raise disk_full("The disk became full while writing. Free some space and try again.") from error
            raise

    def read(self, timestep, box, field=0):
        """What stands in a box [[x0,y0,z0],[x1,y1,z1]]."""
        self._reading = self._reading or self._dataset.createAccess()
        return read_box(self._dataset, self._reading, box, timestep, self.fields[field])

    def compress(self, threads, ranges, told, noted):
        """Compress every block file and note the value ranges in the index; returns (blocks, bytes on disk)."""
        self._access = self._reading = None
        mean = sum(self._block_bytes) // len(self._block_bytes)
        blocks, size = blockfiles.recompress_all(
            self._output, self._in_file, self._block_bytes, self._codec, threads, lambda count: told(count * mean), noted
        )  # fmt: skip
        self._note_ranges(ranges)
        return blocks, size + os.path.getsize(self._url)

    def _note_ranges(self, ranges):
        # Viewers take their first colour range from here.
        index = self._dataset.db.idxfile
        fields = list(index.fields)
        for field, low_high, ranged in zip(fields, ranges, self._ranged):
            field.default_compression = self._codec
            if low_high[0] is not None and ranged:
                field.setDTypeRange(openvisus().Range(float(low_high[0]), float(low_high[1]), 0.0))
        index.fields.clear()
        for field in fields:
            index.fields.push_back(field)
        index.save(self._url)


def unlock(url):
    """Remove the lock file of a process that was killed while it wrote the index: OpenVisus would wait for it for ever.

    Nobody else writes there: an attempt begins when the one before is dead.
    """
    if os.path.exists(f"{url}.lock"):
        os.remove(f"{url}.lock")


def blocks_in_file(dims, voxel_bytes, timesteps):
    """Blocks per file: files of about 32 MiB raw, bigger only where there would be very many of them."""
    padded = 1
    for size in dims:
        padded *= plan.power_of_two_above(size)
    total = max(1, padded >> plan.BLOCK_BITS)
    file_bytes = FILE_BYTES
    while total * timesteps * (voxel_bytes << plan.BLOCK_BITS) // file_bytes > MOST_FILES and file_bytes < 1 << 30:
        file_bytes *= 2
    return min(plan.power_of_two_below(file_bytes // (voxel_bytes << plan.BLOCK_BITS)), total)


def dims_of(source):
    """Voxels along x, y and, unless it is flat, z."""
    depth, height, width = source.shape
    return [width, height] if source.flat else [width, height, depth]
