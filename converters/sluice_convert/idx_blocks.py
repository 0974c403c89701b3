"""Which blocks of an OpenVisus dataset stand in its files: reads give zeros for those that do not, and say nothing."""

import os

import numpy as np

from . import blockfiles
from .visus import openvisus

AT_ONCE = 1 << 16  # blocks whose places are worked out together


class BlockTables:
    """The tables of block files, each read once until `forget`."""

    def __init__(self, dataset):
        self._dataset, self._index, self._tables = dataset, dataset.db.idxfile, {}
        self._total, self._needed = dataset.db.getTotalNumberOfBlocks(), (0, ())
        # Other layouts have no table, OpenVisus alone judges them.
        self.has_tables = not self._index.arco and self._index.version >= 6

    def table(self, path):
        """uint32[blocks of all fields, 10]; True where the layout has none, None where there is no such file.

        Raises BlockFileError when the file is shorter than its table says.
        """
        if path not in self._tables:
            self._tables[path] = self._read(path)
        return self._tables[path]

    def row(self, field, block):
        """Where a block of a field stands in the table of its file."""
        position = int(field.index) if str(field.index).isdigit() else 0
        return position * self._index.blocksperfile + self._index.getBlockPositionInFile(block)

    def blocks(self):
        """Yields (block, whether it is needed) of all blocks."""
        for _, start, end in self.pieces():
            yield from zip(range(start, end), self.needed(start, end).tolist())

    def pieces(self):
        """Yields (first block of its file, start, end) of all blocks, at most AT_ONCE of one file at a time."""
        in_file = max(1, self._index.blocksperfile)  # OpenVisus takes what an index says
        for first in range(0, self._total, in_file):
            last = min(first + in_file, self._total)
            for start in range(first, last, AT_ONCE):
                yield first, start, min(start + AT_ONCE, last)

    def needed(self, start, end):
        """bool[end - start], at most AT_ONCE of them: has the block a voxel inside the dataset, not only in its padding to
        powers of two?
        """
        begin, known = self._needed
        if not begin <= start <= end <= begin + len(known):
            box = self._dataset.db.getLogicBox()
            ends = [int(box.p2[axis]) for axis in range(self._dataset.getPointDim())]
            voxels = self.first_voxels(np.arange(start, min(start + AT_ONCE, self._total)))
            self._needed = begin, known = start, (voxels < ends).all(axis=1)
        return known[start - begin : end - begin]

    def first_voxels(self, blocks):
        """int64[blocks, axes], x first: the voxel with which each block begins.

        Its place in HZ order tells it: the leading one gives the resolution, the bits behind it those of all axes in the
        turns of the bitmask, without those that only finer resolutions have.
        """
        mask, bits = self._dataset.getBitmask().toString()[1:], self._index.bitsperblock
        resolution = np.where(blocks > 0, np.frexp(blocks.astype(float))[1] + bits, 0)
        place = ((blocks << bits) * 2 + 1) << len(mask) - resolution
        voxels = np.zeros((len(blocks), self._dataset.getPointDim()), np.int64)
        for position, axis in enumerate(map(int, mask)):
            voxels[:, axis] = voxels[:, axis] * 2 + (place >> (len(mask) - 1 - position) & 1)
        return voxels

    def box(self, field, timestep, block):
        """[first, end] of the voxels among which the block has some, x first."""
        visus, rank = openvisus(), range(self._dataset.getPointDim())
        query = self._dataset.db.createBlockQuery(block, field, float(timestep), ord("r"), visus.Aborted())
        box = query.getLogicBox()
        return [[int(corner[axis]) for axis in rank] for corner in (box.p1, box.p2)]

    def forget(self):
        self._tables.clear()

    def _read(self, path):
        if not os.path.isfile(path):
            return None
        if not self.has_tables:
            return True
        return blockfiles.checked_table(path, self._index.blocksperfile * self._index.fields.size())


def absent_blocks(dataset):
    """Yields (field, timestep, block, box, path) of each block with a voxel inside the dataset that no file holds.

    Nothing where the layout has no tables. Raises BlockFileError with `path` when a file is shorter than its table.
    """
    tables = BlockTables(dataset)
    if not tables.has_tables:
        return
    access = dataset.createAccess()
    for timestep in dataset.getTimesteps():
        for first, start, end in tables.pieces():
            needed = tables.needed(start, end)
            if start == first:
                tables.forget()  # those of the file before
            for name in dataset.getFields():
                field = dataset.getField(name)
                path = access.getFilename(field, float(timestep), first)
                table, row = tables.table(path), tables.row(field, first) + start - first
                absent = needed if table is None else needed & (table[row : row + end - start, blockfiles.SIZE] == 0)
                for block in (start + np.flatnonzero(absent)).tolist():
                    yield name, timestep, block, tables.box(field, timestep, block), path
        tables.forget()
