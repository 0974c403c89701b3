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
        self._total, self._needed = dataset.db.getTotalNumberOfBlocks(), (None, None)
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
        for first in range(0, self._total, self._index.blocksperfile):
            yield from enumerate(self.needed(first).tolist(), first)

    def needed(self, first):
        """bool[blocks] of the file that begins with the block `first`: has it a voxel inside the dataset, not only in its
        padding to powers of two?
        """
        in_file = self._index.blocksperfile
        several = in_file * max(1, AT_ONCE // in_file)
        begin = first // several * several
        if self._needed[0] != begin:
            box = self._dataset.db.getLogicBox()
            ends = [int(box.p2[axis]) for axis in range(self._dataset.getPointDim())]
            voxels = self.first_voxels(np.arange(begin, min(begin + several, self._total)))
            self._needed = begin, (voxels < ends).all(axis=1)
        return self._needed[1][first - begin : first - begin + in_file]

    def first_voxels(self, blocks):
        """int64[blocks, axes], x first: the voxel with which each block begins.

        Its place in HZ order tells it: the leading one gives the resolution, the bits behind it those of all axes in the
        turns of the bitmask, without those that only finer resolutions have.
        """
        mask, bits = self._dataset.getBitmask().toString()[1:], self._index.bitsperblock
        resolution = np.where(blocks > 0, np.frexp(blocks.astype(float))[1] + bits, 0)
        place = np.where(blocks > 0, ((blocks << bits) * 2 + 1) << np.minimum(len(mask), len(mask) - resolution), 0)
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
    tables, in_file = BlockTables(dataset), dataset.db.idxfile.blocksperfile
    if not tables.has_tables:
        return
    total, access = dataset.db.getTotalNumberOfBlocks(), dataset.createAccess()
    for timestep in dataset.getTimesteps():
        for first in range(0, total, in_file):
            needed = tables.needed(first)
            for name in dataset.getFields():
                field = dataset.getField(name)
                path = access.getFilename(field, float(timestep), first)
                table, row = tables.table(path), tables.row(field, first)
                sizes = np.zeros(in_file) if table is None else table[row : row + in_file, blockfiles.SIZE]
                for block in (first + np.flatnonzero(needed & (sizes[: len(needed)] == 0))).tolist():
                    yield name, timestep, block, tables.box(field, timestep, block), path
            tables.forget()
