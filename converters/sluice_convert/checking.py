"""Holds a product against its proof with stock OpenVisus, never with the code that wrote it."""

import json
import os
import random
import threading
from concurrent.futures import as_completed

from . import blockfiles
from .differences import Differences, differs
from .digest import finite_range, sha256_of, wider
from .idx_blocks import absent_blocks
from .report import Fault
from .shares import Shares
from .visus import load


def read_proof(path):
    """The proof as written by a converter. Raises `no_proof` when it is missing or not one."""
    try:
        with open(path, encoding="utf-8") as file:
            proof = json.load(file)
        proof["blocks"], proof["dims"], proof["dtype"], proof["timesteps"]
        return proof
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Fault("no_proof", "The product has no readable proof beside it. Convert the data again.") from error


def open_product(product, entry):
    """Open with stock OpenVisus; a product that does not open differs from any proof."""
    try:
        return load(os.path.join(product, entry))
    except Exception as error:  # OpenVisus raises bare exceptions and SystemError
        raise differs(f"OpenVisus cannot open {entry}.") from error


def check_files(product, proof):
    """Every block file is there, has its size in sum, and ends after its last block."""
    files = blockfiles.block_files(product)
    if len(files) != proof["block_files"]:
        raise differs(f"The product has {len(files)} block files instead of {proof['block_files']}.")
    size = sum(map(os.path.getsize, files))
    if size != proof["block_bytes"]:
        raise differs(f"The block files hold {size} bytes instead of {proof['block_bytes']}.")


def check_blocks(datasets, product, proof):
    """Every block with a voxel inside is there, but for those that an uploaded dataset lacked; no file is cut off.

    `datasets` are the parts of the product.
    """
    absent, first = 0, None
    try:
        for dataset in datasets:
            for found in absent_blocks(dataset):
                absent, first = absent + 1, first or found
    except blockfiles.BlockFileError as error:
        raise differs(f"The block file {os.path.relpath(error.path, product)} is damaged: {error}.") from error
    wanted = proof.get("absent_blocks", absent)  # proofs of earlier versions say nothing of it
    if absent == wanted:
        return
    counted = f"{absent} block{'' if absent == 1 else 's'} instead of {wanted}"
    if first is None:
        raise differs(f"The product lacks {counted}.")
    field, timestep, block, (low, high), path = first
    raise differs(
        f"The product lacks {counted}, first block {block} of the field {field} at timestep {timestep}, with voxels in "
        f"the box {low} to {high}, in the file {os.path.relpath(path, product)}."
    )


def check_description(dataset, proof):
    """Dims, voxel type and timesteps as OpenVisus reports them."""
    dims = [int(v) for v in dataset.getLogicSize()]
    steps = len(dataset.getTimesteps())
    field = dataset.getField(proof["field"])  # kept: its dtype is a bare reference into it
    dtype = field.dtype.toString()
    for what, found, wanted in (
        ("dimensions", dims, proof["dims"]),
        ("voxel type", dtype, proof["dtype"]),
        ("number of timesteps", steps, proof["timesteps"]),
    ):
        if found != wanted:
            raise differs(f"The product's {what} should be {wanted} and are {found}.")


def choose(blocks, voxel_bytes, sample):
    """Indices of the blocks to read: all of a small product, else `count` by seed with the first and the last."""
    total = sum(volume(block["box"]) for block in blocks) * voxel_bytes
    count = int(sample["count"])
    if total < sample["all_below_bytes"] or count >= len(blocks):
        return list(range(len(blocks)))
    ends = {0, len(blocks) - 1}
    drawn = random.Random(sample["seed"]).sample(range(1, len(blocks) - 1), max(0, count - len(ends)))
    return sorted(ends | set(drawn))


def volume(box):
    """Voxels in [[x0,y0,z0],[x1,y1,z1]]."""
    voxels = 1
    for low, high in zip(*box):
        voxels *= high - low
    return voxels


def grouped(blocks, chosen, voxel_bytes, limit):
    """Runs of chosen blocks that follow one another along one axis, so each compressed block is read once, not often.

    Yields (outer box, axis, run). Runs stay within `limit` bytes.
    """
    run, outer, axis = [], None, None
    for index in chosen:
        block = blocks[index]
        joined = _joined(run, outer, axis, block)
        if joined and volume(joined[0]) * voxel_bytes <= limit:
            (outer, axis), run = joined, [*run, block]
            continue
        if run:
            yield outer, axis, run
        run, outer, axis = [block], block["box"], None
    if run:
        yield outer, axis, run


def _joined(run, outer, axis, block):
    if not run or any(run[0].get(key) != block.get(key) for key in ("timestep", "field", "entry")):
        return None
    (low, high), (new_low, new_high) = outer, block["box"]
    changed = [k for k in range(len(low)) if (low[k], high[k]) != (new_low[k], new_high[k])]
    if len(changed) != 1 or (axis is not None and changed[0] != axis):
        return None
    along = changed[0]
    if new_low[along] != high[along]:
        return None
    return [low, [new_high[k] if k == along else high[k] for k in range(len(high))]], along


class Checker:
    """Reads chosen blocks on several threads (OpenVisus reads outside Python's lock) and compares digests.

    `opened(entry)` is a reader of the part of the product that a block's `entry` names, None for all there is. `levels`
    compares coarse resolutions with what was read.
    """

    def __init__(self, opened, proof, levels):
        self.low_high = (None, None)
        self.bytes_checked = self.checked = 0
        self.differences = Differences()
        self._fields = {}
        self._opened, self._proof, self._levels = opened, proof, levels
        self._local = threading.local()  # an OpenVisus dataset serves one thread

    def check_all(self, groups, pool, threads, told):
        """Check every group on `threads` of the `pool`, `told(bytes)` after each; what differs is collected in
        `differences`.
        """
        shares, lock = Shares(groups, threads), threading.Lock()

        def check_share(number):
            while (group := shares.take(number)) is not None:
                found = self._check(*group)
                with lock:
                    self._note(*found)
                    told(self.bytes_checked)

        jobs = [pool.submit(check_share, number) for number in range(threads)]
        try:
            for job in as_completed(jobs):
                job.result()
        except BaseException:
            shares.clear()
            pool.shutdown(wait=False, cancel_futures=True)
            raise

    def fields(self):
        """Per field (and part of a joined dataset): blocks compared and the range of their values as read now."""
        return [
            {"field": field, **({"entry": entry} if entry else {}), "checked": count, "min": low, "max": high}
            for (entry, field), (count, (low, high)) in sorted(self._fields.items())
        ]

    def _note(self, block, low_high, size, count, differing):
        key = (block.get("entry", ""), block.get("field", self._proof["field"]))
        before, known = self._fields.get(key, (0, (None, None)))
        self._fields[key] = (before + count, wider(known, low_high))
        if key[1] == self._proof["field"] or (key[0] and self._proof.get("joined")):
            self.low_high = wider(self.low_high, low_high)
        self.bytes_checked += size
        self.checked += count
        for difference in differing:
            self.differences.add(*difference)

    def _reader(self, block):
        known, entry = self._local.__dict__, block.get("entry", "")
        if entry not in known:
            known[entry] = self._opened(entry or None)
        return known[entry]

    def _check(self, outer, axis, run):
        """Read `outer` in one piece and compare the digest of each block of the run."""
        reader = self._reader(run[0])
        field = run[0].get("field", self._proof["field"])
        low_high, differing = (None, None), []
        try:
            values = reader.read(*outer, run[0]["timestep"], field)
        except Exception as error:  # OpenVisus raises bare exceptions, zarr many kinds
            if len(run) > 1:
                return self._check_alone(run)
            return run[0], low_high, 0, len(run), [(block, field, None, (None, None), str(error)) for block in run]
        for block in run:
            piece = _part(values, outer, axis, block["box"], reader.rank)
            found, span = sha256_of(piece), finite_range(piece, self._proof["ignored"])
            if found != block["sha256"]:
                differing.append((block, field, found, span, None))
            low_high = wider(low_high, span)
        if not differing:
            self._levels.check(reader, outer, run, field, values)
        return run[0], low_high, values.nbytes, len(run), differing

    def _check_alone(self, run):
        """Each block of a run by itself, so that only those that cannot be read are told."""
        low_high, size, differing = (None, None), 0, []
        for block in run:
            _, span, count, _, found = self._check(block["box"], None, [block])
            low_high, size, differing = wider(low_high, span), size + count, differing + found
        return run[0], low_high, size, len(run), differing


def _part(values, outer, axis, box, rank):
    """The part of `values` (read from `outer`) that lies in `box`, which differs from it along `axis` only."""
    if axis is None:
        return values
    low, high = box[0][axis] - outer[0][axis], box[1][axis] - outer[0][axis]
    return values[(slice(None),) * (rank - 1 - axis) + (slice(low, high),)]


def voxel_bytes_of(dataset, field):
    """Bytes of one voxel with all its components."""
    field = dataset.getField(field)  # kept: its dtype is a bare reference into it
    return field.dtype.getByteSize()
