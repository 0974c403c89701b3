"""Turns a source of voxels into a product: visus.idx with compressed block files, or data.zarr, or both, and
metadata.json, sluice/proof.json.

A source has: `shape` (depth, height, width), `dtype` (numpy, little-endian), `components`, `timesteps`, `flat`
(True = 2-D), `row_access` (rows are cheap to read), `ignored` (fill values), `y_up` (row 0 is the bottom of a
picture), `bytes_in`, `metadata`, `summary` and `read(timestep, z0, z1, y0, y1)` -> (z, y, width[, components]).
"""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata as packages

from . import PROGRAM, VERSION, blockfiles, outputs, plan
from .digest import slab_records, wider
from .report import Fault, disk_full
from .visus import check_dims, dtype_name, openvisus

FILE_BYTES = 32 << 20
MOST_FILES = 16384
FIELD = "data"
# No compression that is in use packs a gigabyte of measured values a thousand times smaller.
DECLARED_BYTES, MOST_EXPANSION = 1 << 30, 1100
LIBRARIES = ("OpenVisusNoGui", "numpy", "tifffile", "imagecodecs", "netCDF4", "h5py", "isal")


def convert(source, request, reporter):
    """Write the product of `source` into request["output"]; returns the result object of the contract.

    `source` may be a list: each becomes a field, named by its `field`; the first gives metadata and what is shown.
    """
    sources = source if isinstance(source, list) else [source]
    first, output, limits = sources[0], request["output"], request["limits"]
    for one in sources:
        check_declared(one)
    wish = (request.get("parameters") or {}).get("output", "idx")
    writer = Writer(sources, output) if wish == "idx" else outputs.writer_of(wish, sources, output, limits)
    raw = sum(map(raw_bytes, sources)) * first.timesteps
    check_room(output, raw * writer.copies)
    total = raw * (1 + writer.copies)
    reporter.progress(0, total, "reading")
    records, ranges = copy_fields(
        sources, writer, limits["slab_bytes"], lambda done: reporter.progress(done, total, "reading")
    )
    blocks, bytes_out = writer.compress(
        limits["threads"], ranges, lambda done: reporter.progress(raw + done, total, "compressing")
    )
    reporter.progress(total, total, "written")
    low_high = ranges[0]
    if low_high[0] is None:
        first.summary["no_finite_value"] = True
    described = {"dims": dims_of(first), "dtype": dtype_name(first.dtype, first.components), "field": field_of(first)}
    proof = described | {"timesteps": first.timesteps, "ignored": list(first.ignored), "y_up": first.y_up}
    write_records(output, first.summary | first.metadata, proof | writer.proof, records)
    return {
        **writer.entry, "dims": described["dims"], "timesteps": first.timesteps,
        "dtype": described["dtype"], "field": described["field"], "min": low_high[0], "max": low_high[1],
        "bytes_in": first.bytes_in, "bytes_out": bytes_out, "blocks": blocks,
        "proof": "sluice/proof.json", "metadata": first.summary,
    }  # fmt: skip


def dims_of(source):
    """Voxels along x, y and, unless it is flat, z."""
    depth, height, width = source.shape
    return [width, height] if source.flat else [width, height, depth]


def field_of(source):
    """The name of its field in a product."""
    return getattr(source, "field", FIELD)


def copy_fields(sources, writer, slab_bytes, told):
    """(proof records, value range of each field): one field after another."""
    records, ranges, done = [], [], 0
    for index, source in enumerate(sources):
        before = done
        found = copy_voxels(source, writer, slab_bytes, lambda count, before=before: told(before + count), index)
        low_high = (None, None)
        for record in found:
            low_high = wider(low_high, (record["min"], record["max"]))
            if len(sources) > 1:
                record["field"] = field_of(source)
        ranges.append(low_high)
        records += found
        done += source.timesteps * raw_bytes(source)
    return records, ranges


def raw_bytes(source):
    """Bytes of the values of one timestep."""
    voxels = source.components
    for size in source.shape:
        voxels *= int(size)
    return voxels * source.dtype.itemsize


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


def copy_voxels(source, writer, slab_bytes, told, field=0):
    """Read, digest and write slab by slab; returns the proof records in order.

    The next slab is read and this one digested while OpenVisus writes it, so at most two slabs are in memory.
    """
    voxel_bytes = source.dtype.itemsize * source.components
    boxes = plan.slabs(source.shape, voxel_bytes, slab_bytes, source.row_access)
    block_bytes = plan.proof_block_bytes(raw_bytes(source) * source.timesteps)
    todo = [(timestep, box) for timestep in range(source.timesteps) for box in boxes]
    records, done = [], 0
    with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as digesting:
        upcoming = reading.submit(source.read, todo[0][0], *todo[0][1])
        for index, (timestep, box) in enumerate(todo):
            values = upcoming.result()
            if index + 1 < len(todo):
                following = todo[index + 1]
                upcoming = reading.submit(source.read, following[0], *following[1])
            digests = digesting.submit(slab_records, timestep, box, values, source.shape, block_bytes, source.ignored)
            writer.write(timestep, box, values, field)
            records += digests.result()
            done += values.nbytes
            told(done)
    return records


class Writer:
    """An OpenVisus dataset being filled with raw blocks, then compressed in place."""

    copies, proof, entry = 1, {}, {"kind": "idx", "entry": "visus.idx"}

    def __init__(self, sources, output):
        first = sources[0]
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
        self._dataset = visus.CreateIdx(
            url=self._url, dims=self.dims, fields=[visus.Field(*named) for named in zip(self.fields, self.dtypes)],
            blocksperfile=blocks_in_file(self.dims, sum(voxel_bytes), first.timesteps), **options,
        )  # fmt: skip
        index = self._dataset.db.idxfile
        self._in_file, self._block_bytes = index.blocksperfile, [size << index.bitsperblock for size in voxel_bytes]
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

    def compress(self, threads, ranges, told):
        """Compress every block file and note the value ranges in the index; returns (blocks, bytes on disk)."""
        self._access = None
        paths, mean = block_files(self._output), sum(self._block_bytes) // len(self._block_bytes)
        blocks, size = blockfiles.recompress_all(
            paths, self._in_file, self._block_bytes, threads, lambda count: told(count * mean)
        )
        self._note_ranges(ranges)
        return blocks, size + os.path.getsize(self._url)

    def _note_ranges(self, ranges):
        # Viewers take their first colour range from here.
        index = self._dataset.db.idxfile
        fields = list(index.fields)
        for field, low_high, ranged in zip(fields, ranges, self._ranged):
            field.default_compression = "zip"
            if low_high[0] is not None and ranged:
                field.setDTypeRange(openvisus().Range(float(low_high[0]), float(low_high[1]), 0.0))
        index.fields.clear()
        for field in fields:
            index.fields.push_back(field)
        index.save(self._url)


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


def block_files(directory):
    """Every block file of a product, sorted."""
    return sorted(
        os.path.join(parent, name) for parent, _, names in os.walk(directory) for name in names if name.endswith(".bin")
    )


def write_records(output, metadata, proof, records):
    """Write metadata.json and sluice/proof.json beside the product."""
    files = block_files(output)
    libraries = LIBRARIES + (outputs.ZARR_LIBRARIES if "zarr" in proof else ())
    versions = {name: packages.version(name) for name in libraries}
    proof = proof | {
        "program": PROGRAM, "version": VERSION, "libraries": versions,
        "block_files": len(files), "block_bytes": sum(map(os.path.getsize, files)), "blocks": records,
    }  # fmt: skip
    os.makedirs(os.path.join(output, "sluice"), exist_ok=True)
    for name, value in (("metadata.json", metadata), ("sluice/proof.json", proof)):
        with open(os.path.join(output, name), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, allow_nan=False, indent=1 if name == "metadata.json" else None)
            file.write("\n")
