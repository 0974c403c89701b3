"""From a source to a writer, slab by slab: read, digested, written, noted; what an earlier attempt noted is left out."""

import os
import random
import shutil
from concurrent.futures import ThreadPoolExecutor

from . import plan
from .digest import sha256_of, slab_records, wider

FIELD = "data"
SLABS_CHECKED = 8


class Copy:
    """The slabs of all fields of a conversion. `sources` are as in `product`; a field is the number of its source."""

    def __init__(self, sources, slab_bytes, journal):
        self._sources, self._journal = sources, journal
        self._slabs = [slabs_of(source, slab_bytes) for source in sources]
        self.count = sum(map(len, self._slabs))
        self.kept = self.bytes_kept = 0
        self._count_kept()

    def _count_kept(self):
        kept = self._kept()
        self.kept = len(kept)
        self.bytes_kept = sum(slab_bytes_of(self._sources[field], self._slabs[field][k][1]) for field, k in kept)

    def _kept(self):
        return [
            (field, k)
            for field, slabs in enumerate(self._slabs) for k in range(len(slabs))
            if self._journal.known("slab", key_of(field, k)) is not None
        ]  # fmt: skip

    def check_kept(self, writer):
        """Read back the newest slab and some others of an earlier attempt; begins anew where one is not whole.

        Returns whether they hold. What is not read back here is proven with the whole product.
        """
        kept = self._kept()
        chosen = kept[-1:] + random.sample(kept[:-1], min(len(kept) - 1, SLABS_CHECKED - 1)) if kept else []
        for field, k in chosen:
            for record in self._journal.known("slab", key_of(field, k)):
                try:
                    same = sha256_of(writer.read(record["timestep"], record["box"], field)) == record["sha256"]
                except Exception:  # whatever the reason: it is not there
                    same = False
                if not same:
                    self._journal.forget(f"the slab {key_of(field, k)} cannot be read back")
                    self._count_kept()
                    return False
        return True

    def run(self, writer, told):
        """(proof records, value range of each field); `told(bytes)` counts what was kept too."""
        records, ranges, done = [], [], self.bytes_kept
        for field, source in enumerate(self._sources):
            found, more = self._field(field, writer, lambda count, before=done: told(before + count))
            low_high, done = (None, None), done + more
            for record in found:
                low_high = wider(low_high, (record["min"], record["max"]))
                if len(self._sources) > 1:
                    record["field"] = field_of(source)
            ranges.append(low_high)
            records += found
        return records, ranges

    def _field(self, field, writer, told):
        """(proof records of a field in order, bytes written now).

        The next slab is read and this one digested while it is written, so at most two slabs are in memory.
        """
        source, slabs = self._sources[field], self._slabs[field]
        found = [self._journal.known("slab", key_of(field, k)) for k in range(len(slabs))]
        todo, done = [k for k, records in enumerate(found) if records is None], 0
        limit = plan.proof_block_bytes(raw_bytes(source) * source.timesteps, voxel_bytes(source))
        with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as digesting:
            upcoming = [reading.submit(read, source, *slabs[k]) for k in todo[:1]]
            for place, k in enumerate(todo):
                values = upcoming.pop().result()
                upcoming = [reading.submit(read, source, *slabs[after]) for after in todo[place + 1 : place + 2]]
                timestep, box = slabs[k]
                digests = digesting.submit(slab_records, timestep, box, values, source.shape, limit, source.ignored)
                writer.write(timestep, box, values, field)
                found[k] = digests.result()
                self._journal.note("slab", key_of(field, k), found[k])
                done += values.nbytes
                told(done)
        if hasattr(source, "close"):
            source.close()  # another field may want as much memory
        return [record for records in found for record in records], done


def key_of(field, k):
    return f"{field}.{k}"


def read(source, timestep, box):
    return source.read(timestep, *box)


def field_of(source):
    """The name of its field in a product."""
    return getattr(source, "field", FIELD)


def chunk_of(source):
    """(slices, rows) of the pieces that it decodes as a whole and cannot keep, or None."""
    return getattr(source, "chunk", None)


def slabs_of(source, slab_bytes):
    """[(timestep, box)] in the order in which they are read."""
    boxes = plan.slabs(source.shape, voxel_bytes(source), slab_bytes, source.row_access, chunk_of(source))
    return [(timestep, box) for timestep in range(source.timesteps) for box in boxes]


def voxel_bytes(source):
    return source.dtype.itemsize * source.components


def slab_bytes_of(source, box):
    z0, z1, y0, y1 = box
    return (z1 - z0) * (y1 - y0) * int(source.shape[2]) * voxel_bytes(source)


def raw_bytes(source):
    """Bytes of the values of one timestep."""
    return slab_bytes_of(source, (0, int(source.shape[0]), 0, int(source.shape[1])))


def clear(output):
    """Remove what an earlier attempt wrote."""
    for parent, _, names in os.walk(output):
        for name in names:
            if name.endswith((".bin", ".bin.partial")) or name == "visus.idx":
                os.remove(os.path.join(parent, name))
    shutil.rmtree(os.path.join(output, "data.zarr"), ignore_errors=True)
