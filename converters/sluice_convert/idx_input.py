"""An uploaded OpenVisus dataset: which file is its entry, which files belong to it, whether its blocks can be read."""

import os
import posixpath
import re

from . import blockfiles
from .chosen import first_meant, named
from .idx_blocks import BlockTables
from .idx_safety import checked_text, child_addresses, unsafe
from .natural import listing, natural_key, visible
from .report import Fault
from .sniff import INDEX_MARK, head_of

ENTRIES = ("visus.idx", "visus.midx")
ENDINGS = (".idx", ".midx")
# What is written into every product; blocks and indexes never have such names.
OURS = re.compile(
    r"^(metadata\.json|coordinates\.json|manifest\.json|manifest-sha256\.txt|ro-crate-metadata\.json|sluice(/[^/]+\.(json|png))?)$"
)
CODECS = (0, 3, 4, 6, 7, 8)  # raw, zip, jpg, png, lz4, zfp; OpenVisus takes any other for raw


def find_entry(inputs):
    """(folder, entry name): the entry lies at the top or one directory down. Raises no_idx, several_idx."""
    seen = visible(inputs)
    names = [item["name"] for item in seen]
    for name in names:
        if name.startswith("/") or ".." in name.split("/"):
            raise unsafe(name, "is not a relative name")
    high = [item for item in seen if item["name"].count("/") <= 1]
    indexes = list(filter(named(ENDINGS), high)) or [
        item for item in high if head_of(item["path"]).startswith(INDEX_MARK)
    ]
    indexes = [item["name"] for item in indexes]
    if not indexes:
        raise Fault(
            "no_idx",
            f"There is no .idx file at the top or one directory down among {listing(names)}."
            f"{first_meant(seen)} Upload the .idx file together with its block files.",
        )
    best = min(indexes, key=_preference)
    rivals = sorted({posixpath.dirname(name) for name in indexes if _preference(name)[:2] == _preference(best)[:2]})
    if len(rivals) > 1:
        raise Fault(
            "several_idx",
            f"There is a dataset in each of {listing(rivals)}. Upload them as separate datasets, "
            "or join them by a visus.midx at the top.",
        )
    return posixpath.split(best)


def _preference(name):
    folder, base = posixpath.split(name)
    rank = ENTRIES.index(base) if base in ENTRIES else len(ENTRIES) + base.lower().endswith(".midx")
    return bool(folder), rank, natural_key(name)


def belonging(inputs, folder):
    """{name inside the dataset: path} of the files in the entry's folder."""
    prefix = folder + "/" if folder else ""
    return {item["name"][len(prefix) :]: item["path"] for item in visible(inputs) if item["name"].startswith(prefix)}


def outside(inputs, folder):
    """Names of files that are not of the dataset: beside its folder, or hidden."""
    prefix, shown = (folder + "/" if folder else ""), {item["name"] for item in visible(inputs)}
    names = (item["name"] for item in inputs)
    return [name for name in names if name not in shown or not name.startswith(prefix)]


def with_ending(files, entry):
    """The entry under a name that OpenVisus opens: one that is known by its content alone becomes visus.idx."""
    if entry.lower().endswith(ENDINGS):
        return entry
    files["visus.idx"] = files.pop(entry)
    return "visus.idx"


def places(files, with_zarr=False):
    """({name: place in the product}, folder of records or None): files named like ours keep their content elsewhere."""
    records = [name for name in files if OURS.match(name) or (with_zarr and name.split("/")[0] == "data.zarr")]
    if not records:
        return {name: name for name in files}, None
    folder = "received"
    while any(name == folder or name.startswith(f"{folder}/") for name in files):
        folder += "_"
    return {name: f"{folder}/{name}" if name in records else name for name in files}, folder


def link_tree(files, root):
    """Links of the files under their names, so that OpenVisus sees the dataset without touching the input."""
    for name, path in files.items():
        place = os.path.join(root, name)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.symlink(os.path.abspath(path), place)


def check_indexes(files):
    """{index name: text} of all index files, each checked to name only files of its own directory."""
    return {name: checked_text(path, name) for name, path in files.items() if name.lower().endswith(ENDINGS)}


def leaves(entry, texts):
    """The .idx files that hold voxels: the entry itself, or what a .midx joins, in order. Raises missing_blocks."""
    found, todo, seen = [], [entry], set()
    while todo:
        name = todo.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name not in texts:
            raise missing(name, f"{entry} joins it")
        joined = child_addresses(texts[name])
        folder = posixpath.dirname(name)
        todo += [posixpath.normpath(posixpath.join(folder, address)) for address in joined]
        if not joined:
            found.append(name)
    return found


def checked_box(dataset, name):
    """(low, high), x first. Raises unsupported_shape, empty_input, unsupported_type."""
    low, high = ([int(v) for v in corner] for corner in dataset.getLogicBox())
    if len(low) not in (2, 3):
        raise Fault("unsupported_shape", f"{name} has {len(low)} dimensions; 2 and 3 are possible.")
    if any(first >= end for first, end in zip(low, high)):
        raise Fault("empty_input", f"{name} declares a box without voxels. Save at least one slice in it.")
    if not dataset.getFields():
        raise Fault("unsupported_type", f"{name} has no field of a type that OpenVisus knows. Its values are numbers.")
    return low, high


def missing(name, why):
    return Fault(
        "missing_blocks",
        f"{name} is missing or damaged: {why}. Upload the whole dataset again, with all its block files.",
    )


class BlockCheck:
    """Reads every block that is there: OpenVisus's ordinary reads give zeros for blocks that are missing or broken."""

    def __init__(self, dataset, root):
        self.absent = 0
        self._dataset, self._root, self._tables = dataset, root, BlockTables(dataset)

    def check(self, field_name, timestep):
        """Check all blocks of one field and timestep. Raises missing_blocks naming the file."""
        dataset = self._dataset
        field = dataset.getField(field_name)
        access = dataset.createAccess()
        access.beginRead()
        try:
            for block, inside in self._tables.blocks():
                path = access.getFilename(field, float(timestep), block)
                present = self._present(path, field, block)
                if present and dataset.readBlock(block, time=timestep, field=field, access=access) is None:
                    raise missing(self._name(path), f"block {block} cannot be read")
                if inside and not present:
                    self._lacks(path, present)
        finally:
            access.endRead()
        self._tables.forget()

    def _lacks(self, path, present):
        if present is None:
            raise missing(self._name(path), "there is no such file")
        self.absent += 1

    def _present(self, path, field, block):
        """True = stored, False = never written, None = there is no such file."""
        try:
            table = self._tables.table(path)
        except blockfiles.BlockFileError as error:
            raise missing(self._name(path), str(error)) from error
        if table is None or table is True:
            return table
        row = self._tables.row(field, block)
        codec = int(table[row, blockfiles.FLAGS]) & blockfiles.COMPRESSION_MASK
        if table[row, blockfiles.SIZE] > 0 and codec not in CODECS:
            raise Fault(
                "unsupported_compression",
                f"Block {block} in {self._name(path)} is packed by the codec {codec}, which OpenVisus does not know. "
                "Compress the dataset again, for example with zip.",
            )
        return bool(table[row, blockfiles.SIZE] > 0)

    def _name(self, path):
        return os.path.relpath(path, self._root)
