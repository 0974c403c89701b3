"""The forms of a product, each as the proof needs it: its files, its blocks, a reader, its levels."""

import os

from . import checking
from .differences import differs
from .idx_reader import IdxReader
from .levels import Levels

FINEST = "/0"  # the array that the blocks are of
IDX_PLACES = 2  # its resolutions are voxels of the finest: only how they are read can go wrong


def forms_of(product, entry, proof, threads):
    """What is to be proven: the OpenVisus dataset, the Zarr product, or both; the first is what pictures show."""
    zarr = proof.get("zarr")
    found = [] if zarr is not None and entry == zarr["path"] else [IdxForm(product, entry, proof)]
    return found if zarr is None else [*found, ZarrForm(product, proof, threads)]


class IdxForm:
    """An OpenVisus dataset, read by stock OpenVisus."""

    kind = "idx"

    def __init__(self, product, entry, proof):
        self.entry, self._product, self._proof, self.blocks = entry, product, proof, proof["blocks"]

    def check_files(self):
        checking.check_files(self._product, self._proof)

    def open(self, strict):
        """Open and hold its description against the proof. Raises `product_differs`."""
        self._dataset = checking.open_product(self._product, self.entry)
        if strict:
            parts = sorted({block.get("entry", "") for block in self.blocks})
            datasets = (checking.open_product(self._product, part or self.entry) for part in parts)
            checking.check_blocks(datasets, self._product, self._proof)
        checking.check_description(self._dataset, self._proof)
        self.voxel_bytes = checking.voxel_bytes_of(self._dataset, self._proof["field"])

    def opened(self, entry):
        """A reader of its own for each thread."""
        return IdxReader(checking.open_product(self._product, entry or self.entry))

    def shown(self):
        """A reader for the thread that draws."""
        return self.opened(None)

    def levels(self, chosen):
        """What compares resolutions in the chosen blocks; nothing where the product joins several."""
        joined = self._proof.get("joined")
        return Levels([] if joined else chosen, not joined and len(chosen) == len(self.blocks), IDX_PLACES)


class ZarrForm:
    """A Zarr product, read by zarr-python. The proof's blocks serve it too: their digests are those of the source."""

    kind = "zarr"

    def __init__(self, product, proof, threads):
        from . import zarr_reader

        zarr_reader.use_threads(threads)
        self._open, self._product, self._proof = zarr_reader.ZarrReader, product, proof
        self.entry = proof["zarr"]["path"]
        self._paths = {image["field"]: image["path"] for image in proof["zarr"]["fields"]}
        self._steps = {time: step for step, time in enumerate(proof["zarr"].get("times", ()))}
        self.blocks = list(map(self._placed, proof["blocks"]))

    def check_files(self):
        """As many files, of as many bytes, as were written: a chunk that is missing would read as zeros."""
        folder, record = os.path.join(self._product, self.entry), self._proof["zarr"]
        sizes = [
            os.path.getsize(os.path.join(parent, name)) for parent, _, names in os.walk(folder) for name in names
        ]
        if (len(sizes), sum(sizes)) != (record["files"], record["bytes"]):
            raise differs(
                f"{self.entry} has {len(sizes)} files of {sum(sizes)} bytes instead of {record['files']} of "
                f"{record['bytes']}."
            )

    def open(self, strict):
        """Open every image and hold its description against the proof. Raises `product_differs`."""
        readers = {field: self._open(self._product, path, self._proof) for field, path in self._paths.items()}
        first = readers[self._proof["field"]]
        if first.dtype != self._proof["dtype"]:
            raise differs(f"The product's voxel type should be {self._proof['dtype']} and is {first.dtype}.")
        for image in self._proof["zarr"]["fields"]:
            count = len(readers[image["field"]].arrays)
            if count != image["levels"]:
                raise differs(f"{image['path']} has {count} levels instead of {image['levels']}.")
            if strict:
                readers[image["field"]].check_chunks()
        self._readers, self.voxel_bytes = readers, first.voxel_bytes

    def opened(self, entry):
        return self._open(self._product, entry.removesuffix(FINEST), self._proof)

    def shown(self):
        """A reader for the thread that draws."""
        return self._open(self._product, self._paths[self._proof["field"]], self._proof)

    def levels(self, chosen):
        """What compares levels in the chosen blocks."""
        return Levels(chosen, len(chosen) == len(self.blocks))

    def _placed(self, block):
        """The block in the arrays: they begin at 0, which a box and timesteps that were handed over need not."""
        record, moved = self._proof["zarr"], {"entry": self._path(block)}
        if "first" in record:
            moved["box"] = [[place - low for place, low in zip(corner, record["first"])] for corner in block["box"]]
        if self._steps:
            moved["timestep"] = self._steps[block["timestep"]]
        return block | moved

    def _path(self, block):
        return self._paths[block.get("field", self._proof["field"])] + FINEST
