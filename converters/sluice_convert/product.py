"""Turns a source of voxels into a product: visus.idx with compressed block files, or data.zarr, or both, and
metadata.json, sluice/proof.json.

A source has: `shape` (depth, height, width), `dtype` (numpy, little-endian), `components`, `timesteps`, `flat`
(True = 2-D), `row_access` (rows are cheap to read), `ignored` (fill values), `y_up` (row 0 is the bottom of a
picture), `bytes_in`, `metadata`, `summary` and `read(timestep, z0, z1, y0, y1)` -> (z, y, width[, components]).
"""

import json
import os
import shutil

from . import LIBRARIES, PROGRAM, VERSION, ZARR_LIBRARIES, itself, journal, outputs
from .blockfiles import block_files
from .idx_write import dims_of
from .report import Fault, disk_full
from .slabs import Copy, clear, field_of, raw_bytes
from .visus import dtype_name

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


def write_records(output, metadata, proof, records):
    """Write metadata.json and sluice/proof.json beside the product."""
    files = block_files(output)
    libraries = LIBRARIES + (ZARR_LIBRARIES if "zarr" in proof else ())
    versions = {name: itself.versions()[name] for name in libraries}
    proof = proof | {
        "program": PROGRAM, "version": VERSION, "libraries": versions,
        "block_files": len(files), "block_bytes": sum(map(os.path.getsize, files)), "blocks": records,
    }  # fmt: skip
    os.makedirs(os.path.join(output, "sluice"), exist_ok=True)
    for name, value in (("metadata.json", metadata), ("sluice/proof.json", proof)):
        with open(os.path.join(output, name), "w", encoding="utf-8", errors="replace") as file:
            json.dump(value, file, ensure_ascii=False, allow_nan=False, indent=1 if name == "metadata.json" else None)
            file.write("\n")
