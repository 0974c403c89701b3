"""Converter for the sensor IDX: an OpenVisus dataset that was handed over ready made.

Nothing is converted: the dataset is checked (safe names, all block files there, every block readable), digests are
taken through OpenVisus from the input, and its files are copied. The entry becomes visus.idx. With the output `both`
what was read for the digests is written as Zarr too.
"""

import os
import shutil

from sluice_convert import idx_input, journal, plan
from sluice_convert.digest import slab_records, wider
from sluice_convert.report import Fault, run_program

COPY_BYTES = 64 << 20


def opened(root, name):
    """The dataset through stock OpenVisus. Raises no_idx when it cannot open it."""
    from sluice_convert.visus import load

    try:
        return load(os.path.join(root, name))
    except Exception as error:  # OpenVisus raises bare exceptions and SystemError
        raise Fault("no_idx", f"{name} is not an index that OpenVisus can open. Upload the dataset again.") from error


def digests(dataset, root, name, limit, told, noted, zarr):
    """(records, absent blocks, bytes that an earlier attempt had read) of one .idx: all fields, all timesteps."""
    from sluice_convert.visus import read_box

    low, high = idx_input.checked_box(dataset, name)
    shape = (
        [1, *(b - a for a, b in zip(low, high))][:0:-1] if len(low) == 3 else [1, high[1] - low[1], high[0] - low[0]]
    )
    records, absent, kept, check = [], 0, 0, idx_input.BlockCheck(dataset, root)
    raw = raw_bytes(dataset)
    for field_name in dataset.getFields():
        field = dataset.getField(field_name)
        voxel = field.dtype.getByteSize()
        block_bytes = plan.proof_block_bytes(raw, voxel)
        for timestep in dataset.getTimesteps():
            absent += checked(check, f"{name}/{field_name}/{timestep}", field_name, timestep, noted)
            access = dataset.createAccess()
            for z0, z1, y0, y1 in plan.slabs(shape, voxel, limit):
                lower, upper = [low[0], low[1] + y0], [high[0], low[1] + y1]
                if len(low) == 3:
                    lower, upper = [*lower, low[2] + z0], [*upper, low[2] + z1]
                key = f"{name}/{field_name}/{timestep}/{z0}/{y0}"
                found = noted.known("slab", key)
                size = (z1 - z0) * (y1 - y0) * shape[2] * voxel
                if found is None or not zarr.holds(found):
                    values = read_box(dataset, access, [lower, upper], timestep, field_name)
                    values = values[None] if len(low) == 2 else values
                    zarr.write(field_name, timestep, (z0, z1, y0, y1), values)
                    found = slab_records(timestep, (z0, z1, y0, y1), values, shape, block_bytes)
                    found = [placed(record, low) | {"field": field_name, "entry": name} for record in found]
                    noted.note("slab", key, found)
                else:
                    kept += size
                told(size)
                records += found
    return records, absent, kept


def all_digests(parts, root, limit, told, noted, zarr):
    """The same of all parts."""
    records, absent, kept = [], 0, 0
    for name, part in parts.items():
        more, lacking, old = digests(part, root, name, limit, told, noted, zarr)
        records, absent, kept = records + more, absent + lacking, kept + old
    return records, absent, kept


def checked(check, key, field_name, timestep, noted):
    """Absent blocks of one field and timestep; raises missing_blocks."""
    absent = noted.known("checked", key)
    if absent is None:
        before = check.absent
        check.check(field_name, timestep)
        absent = check.absent - before
        noted.note("checked", key, absent)
    return absent


def placed(record, low):
    """A proof record in the coordinates of a dataset whose first voxel is `low`, x first."""
    first = [*low, 0][:3]
    return record | {"box": [[place + start for place, start in zip(corner, first)] for corner in record["box"]]}


def copy_files(files, places, output, told, noted):
    """Copy the dataset to its places (sharing blocks on disk where the file system can)."""
    for name, path in files.items():
        place, size = os.path.join(output, places[name]), os.path.getsize(path)
        if noted.known("copy", name) is not None and os.path.isfile(place) and os.path.getsize(place) == size:
            told(size)
            continue
        os.makedirs(os.path.dirname(place), exist_ok=True)
        copy_file(path, place, told)
        noted.note("copy", name, size)


def copy_file(source, target, told):
    with open(source, "rb") as read, open(target, "wb") as write:
        while True:
            try:
                count = os.copy_file_range(read.fileno(), write.fileno(), COPY_BYTES)
            except OSError as error:
                if error.errno not in (18, 22, 38, 95):  # EXDEV, EINVAL, ENOSYS, EOPNOTSUPP: plain copy instead
                    raise
                piece = read.read(COPY_BYTES)
                write.write(piece)
                count = len(piece)
            if count == 0:
                return
            told(count)


def main(request, reporter):
    if not request["inputs"]:
        raise Fault("empty_input", "There are no files. Upload the .idx file together with its block files.")
    folder, entry = idx_input.find_entry(request["inputs"])
    files = idx_input.belonging(request["inputs"], folder)
    known_as, entry = entry, idx_input.with_ending(files, entry)
    texts = idx_input.check_indexes(files)
    names = idx_input.leaves(entry, texts)
    from sluice_convert import coordinates
    from sluice_convert.idx_facts import facts_of, types_of
    from sluice_convert.idx_zarr import beside
    from sluice_convert.product import check_room, write_records

    root, output = os.path.join(request["work"], "input"), request["output"]
    idx_input.link_tree(files, root)
    size = sum(map(os.path.getsize, files.values()))
    noted, dataset, long = journal.opened(request), opened(root, entry), {}
    idx_input.checked_box(dataset, entry)
    own, dimensions = facts_of(dataset, texts[entry], long)
    zarr = beside(dataset, request, noted, names != [entry], dimensions, own)
    parts = {name: opened(root, name) for name in names}
    raw = sum(map(raw_bytes, parts.values()))
    check_room(output, size - sum(noted.known("copy", name) or 0 for name in files) + zarr.copies * raw)
    total = raw * (1 + zarr.copies) + size
    progress = Progress(reporter, total)
    limit = request["limits"]["slab_bytes"]
    records, absent, kept = all_digests(parts, root, limit, progress.reading, noted, zarr)
    places, folder_of_records = idx_input.places(files, zarr.copies > 0)
    copy_files(files, places, output, progress.copying, noted)
    if entry != "visus.idx":
        shutil.copyfile(os.path.join(output, entry), os.path.join(output, "visus.idx"))
    chunks, zarr_bytes, more = zarr.finish(progress.share(raw), noted)
    reporter.progress(total, total, "copied")
    for record in records:
        if record["entry"] == entry:
            del record["entry"]  # the entry is visus.idx from now on
    result = describe(dataset, records)
    opened(output, "visus.idx")
    fields = sorted({record["field"] for record in records})
    facts = {"format": "idx", "entry": known_as, "folder": folder, "fields": fields, "absent_blocks": absent} | own
    proof = {key: result[key] for key in ("dims", "dtype", "field", "timesteps")}
    proof |= {"ignored": [], "y_up": False, "joined": names != [entry], "absent_blocks": absent}
    proof |= more
    types = types_of(dataset, [one for one in records if "entry" not in one])
    told = dimensions | {"types": types, "files": sorted(files)[:1000], "records_received": folder_of_records}
    told["left_out"] = idx_input.outside(request["inputs"], folder)[:1000]
    write_records(output, facts | told, proof, records)
    coordinates.write(output, long)
    bytes_out = sum(os.path.getsize(os.path.join(output, place)) for place in places.values())
    result |= zarr.entry | ({"resumed": {"bytes": kept}} if noted.kept else {}) | {"blocks": result["blocks"] + chunks}
    return result | {"bytes_in": size, "bytes_out": bytes_out + zarr_bytes, "metadata": facts}


class Progress:
    """Bytes of voxels read, then bytes of files copied, as one number."""

    def __init__(self, reporter, total):
        self._reporter, self._total, self._done = reporter, total, 0

    def _add(self, count, note):
        self._done += count
        self._reporter.progress(self._done, self._total, note)

    def reading(self, count):
        self._add(count, "checking blocks")

    def copying(self, count):
        self._add(count, "copying")

    def share(self, count):
        """Tells a share of `count` bytes of work that follows."""
        before = self._done
        return lambda share: self._reporter.progress(before + int(share * count), self._total, "making levels")


def raw_bytes(dataset):
    """Bytes of all fields and timesteps as voxels."""
    from sluice_convert.checking import voxel_bytes_of

    voxels = 1
    for size in dataset.getLogicSize():
        voxels *= int(size)
    return voxels * len(dataset.getTimesteps()) * sum(voxel_bytes_of(dataset, name) for name in dataset.getFields())


def describe(dataset, records):
    """The result object, as far as the dataset itself tells it."""
    # A .midx lists programs as fields; the plain mosaic of its parts is the one to show.
    mosaic = "output=voronoi()"
    field = dataset.getField(mosaic) if mosaic in dataset.getFields() else dataset.getField()
    low_high = (None, None)
    shown = [record for record in records if record["field"] == field.name] or records
    for record in shown:
        low_high = wider(low_high, (record["min"], record["max"]))
    return {
        "kind": "idx", "entry": "visus.idx", "dims": [int(v) for v in dataset.getLogicSize()],
        "timesteps": len(dataset.getTimesteps()), "dtype": field.dtype.toString(), "field": field.name,
        "min": low_high[0], "max": low_high[1], "blocks": len(records), "proof": "sluice/proof.json",
    }  # fmt: skip


if __name__ == "__main__":
    run_program(main)
