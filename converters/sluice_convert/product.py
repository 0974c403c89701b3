"""Turns a source of voxels into a product: visus.idx with compressed block files, or data.zarr, or both, and
metadata.json, sluice/proof.json.

A source has: `shape` (depth, height, width), `dtype` (numpy, little-endian), `components`, `timesteps`, `flat`
(True = 2-D), `row_access` (rows are cheap to read), `ignored` (fill values), `y_up` (row 0 is the bottom of a
picture), `bytes_in`, `metadata`, `summary` and `read(timestep, z0, z1, y0, y1)` -> (z, y, width[, components]).
"""

import json
import os
import shutil
from importlib import metadata as packages

from . import LIBRARIES, PROGRAM, VERSION, ZARR_LIBRARIES, blockfiles, journal, outputs, plan
from .blockfiles import block_files
from .report import Fault, disk_full
from .slabs import Copy, clear, field_of, raw_bytes
from .visus import check_dims, dtype_name, openvisus, read_box

FILE_BYTES = 32 << 20
MOST_FILES = 16384
# No compression that is in use packs a gigabyte of measured values a thousand times smaller.
DECLARED_BYTES, MOST_EXPANSION = 1 << 30, 1100


def convert(source, request, reporter):
    """Write the product of `source` into request["output"]; returns the result object of the contract.

    `source` may be a list: each becomes a field, named by its `field`; the first gives metadata and what is shown.
    """
    sources = source if isinstance(source, list) else [source]
    first, output, limits = sources[0], request["output"], request["limits"]
    codecs = outputs.codecs_of(request.get("parameters") or {})
    for one in sources:
        check_declared(one)
    noted, raw = journal.opened(request), sum(map(raw_bytes, sources)) * first.timesteps
    copy = Copy(sources, limits["slab_bytes"], noted)
    writer = opened_writer(sources, codecs, request, copy, noted)
    check_room(output, (raw - copy.bytes_kept) * writer.copies)
    total = raw * (1 + writer.copies)
    reporter.log(started_words(copy, noted))
    reporter.progress(copy.bytes_kept, total, "reading")
    records, ranges = copy.run(writer, lambda done: reporter.progress(done, total, "reading"))
    blocks, bytes_out = writer.compress(
        limits["threads"], ranges, lambda done: reporter.progress(raw + done, total, "compressing"), noted
    )
    reporter.progress(total, total, "written")
    low_high = ranges[0]
    if low_high[0] is None:
        first.summary["no_finite_value"] = True
    described = {"dims": dims_of(first), "dtype": dtype_name(first.dtype, first.components), "field": field_of(first)}
    proof = described | {"timesteps": first.timesteps, "ignored": list(first.ignored), "y_up": first.y_up}
    proof |= {"absent_blocks": 0}
    write_records(output, first.summary | first.metadata, proof | writer.proof, records)
    return {
        **writer.entry, "dims": described["dims"], "timesteps": first.timesteps,
        "dtype": described["dtype"], "field": described["field"], "min": low_high[0], "max": low_high[1],
        "bytes_in": first.bytes_in, "bytes_out": bytes_out, "blocks": blocks,
        "compression": codecs, "proof": "sluice/proof.json", "metadata": first.summary,
        **({"resumed": {"slabs": copy.kept, "of": copy.count, "bytes": copy.bytes_kept}} if copy.kept else {}),
    }  # fmt: skip


def opened_writer(sources, codecs, request, copy, noted):
    """The writer of what is wished, onto what an earlier attempt left, if that is whole."""
    output = request["output"]

    def opened():
        if noted.on and not noted.kept:
            clear(output)
        return outputs.writer_of(codecs, sources, output, request["limits"])

    writer = opened()
    return writer if copy.check_kept(writer) else opened()


def started_words(copy, noted):
    """For the log: how much an earlier attempt had done, or why that counts for nothing."""
    if copy.kept:
        return f"goes on: {copy.kept} of {copy.count} slabs ({copy.bytes_kept} bytes) were there"
    return f"{copy.count} slabs to do" + (f"; what an earlier attempt did is left: {noted.why}" if noted.why else "")


def dims_of(source):
    """Voxels along x, y and, unless it is flat, z."""
    depth, height, width = source.shape
    return [width, height] if source.flat else [width, height, depth]


def check_declared(source):
    """Refuse a small file that declares far more values than it can hold: nobody wrote them."""
    raw = source.timesteps * raw_bytes(source)
    if raw > DECLARED_BYTES and raw > MOST_EXPANSION * source.bytes_in:
        raise Fault(
            "declared_too_large",
            f"The data declare {raw} bytes of values and the files hold {source.bytes_in}. Save only what was written.",
        )


def check_room(directory, needed):
    """Fail before hours of work when the raw blocks cannot fit."""
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise disk_full(
            f"The product needs {needed >> 20} MiB while it is written and {free >> 20} MiB are free. "
            "Free some space and try again."
        )


class Writer:
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


def write_records(output, metadata, proof, records):
    """Write metadata.json and sluice/proof.json beside the product."""
    files = block_files(output)
    libraries = LIBRARIES + (ZARR_LIBRARIES if "zarr" in proof else ())
    versions = {name: packages.version(name) for name in libraries}
    proof = proof | {
        "program": PROGRAM, "version": VERSION, "libraries": versions,
        "block_files": len(files), "block_bytes": sum(map(os.path.getsize, files)), "blocks": records,
    }  # fmt: skip
    os.makedirs(os.path.join(output, "sluice"), exist_ok=True)
    for name, value in (("metadata.json", metadata), ("sluice/proof.json", proof)):
        with open(os.path.join(output, name), "w", encoding="utf-8", errors="replace") as file:
            json.dump(value, file, ensure_ascii=False, allow_nan=False, indent=1 if name == "metadata.json" else None)
            file.write("\n")
