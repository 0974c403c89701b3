"""Opens HDF5 files honestly and walks them without ever leaving the file: links and storage outside are refused."""

import os

import h5py

from .report import Fault, reading
from .sniff import is_hdf5, meant

MOST_OBJECTS = 100_000
MOST_LINKS = 16
# Filters that the library has by itself: deflate, shuffle, fletcher32, szip, nbit, scale-offset, LZF.
OWN_FILTERS = frozenset((1, 2, 3, 4, 5, 6, 32000))


def opened(path, name):
    """The file, for reading. Raises Fault: empty_input, not_hdf5, truncated."""
    if os.path.getsize(path) == 0:
        raise Fault("empty_input", f"{name} is empty (0 bytes). Upload it again.")
    if not is_hdf5(path):
        raise Fault("not_hdf5", f"{name} is not an HDF5 file, whatever its name says.{meant(path)}")
    with reading(name):
        return h5py.File(path, "r", locking=False)


def unsafe(name, what):
    """The fault of a file that would have others read."""
    return Fault("unsafe_hdf5", f"{name}: {what}. Save everything in one file (for example with h5repack).")


def objects(file, name):
    """[(path, object)] of everything hard-linked in the file, each once, sorted by path within a group."""
    with reading(name):
        return list(_objects(file, name))


def _objects(file, name):
    seen, todo = set(), [("", file["/"])]
    while todo:
        path, thing = todo.pop()
        address = h5py.h5o.get_info(thing.id).addr
        if address in seen:
            continue
        seen.add(address)
        yield path or "/", thing
        if len(seen) > MOST_OBJECTS:
            raise Fault("unsupported_shape", f"{name} has more than {MOST_OBJECTS} objects. Split the file.")
        if isinstance(thing, h5py.Group):
            inner = [key for key in thing if isinstance(thing.get(key, getlink=True), h5py.HardLink)]
            todo += [(f"{path}/{key}", thing[key]) for key in sorted(inner, reverse=True)]


def check_inside(path, name):
    """Refuse a file that another library will read and that leads out of itself. Raises unsafe_hdf5, truncated."""
    with opened(path, name) as file, reading(name):
        for where, thing in objects(file, name):
            if isinstance(thing, h5py.Dataset):
                check_storage(thing, where, name)
                continue
            if isinstance(thing, h5py.Group):
                for key in thing:
                    if isinstance(thing.get(key, getlink=True), h5py.ExternalLink):
                        raise unsafe(name, f"{where.rstrip('/')}/{key} leads to another file")


def resolve(file, wanted, name):
    """The object at a path, following soft links inside the file; None when there is none.

    Raises unsafe_hdf5, truncated.
    """
    with reading(name):
        return _resolve(file, wanted, name)


def _resolve(file, wanted, name):
    parts, at, followed = _parts(wanted), [], 0
    thing = file["/"]
    while parts:
        key, *parts = parts
        if not isinstance(thing, h5py.Group):
            return None
        link = thing.get(key, getlink=True)
        if link is None:
            return None
        if isinstance(link, h5py.ExternalLink):
            raise unsafe(name, f"{wanted} leads to another file, {link.filename}")
        if isinstance(link, h5py.SoftLink):
            followed += 1
            if followed > MOST_LINKS:
                return None
            parts = _parts(link.path if link.path.startswith("/") else "/".join([*at, link.path])) + parts
            thing, at = file["/"], []
            continue
        thing = thing[key]
        at.append(key)
    return thing


def _parts(path):
    return [part for part in path.split("/") if part not in ("", ".")]


def values(dataset, path, name, selection=()):
    """Stored values as an array. Nothing else reads values beside the voxels: what a file calls its coordinates may lie
    in another file of this machine. Raises unsafe_hdf5, unsupported_compression, truncated.
    """
    with reading(name):
        check_storage(dataset, path, name)
        return dataset[selection]


def check_storage(dataset, path, name):
    """Refuse values that lie in other files, and filters that cannot be read. Raises Fault."""
    plist = dataset.id.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count() > 0:
        raise unsafe(name, f"the values of {path} lie in other files")
    for index in range(plist.get_nfilters()):
        code, _, _, label = plist.get_filter(index)
        if code not in OWN_FILTERS:
            import hdf5plugin  # noqa: F401  registers its filters
        if not h5py.h5z.filter_avail(code):
            words = label.decode("utf-8", "replace") or "unnamed"
            raise Fault(
                "unsupported_compression",
                f"{path} in {name} is compressed by the HDF5 filter {code} ({words}), which is not known here. "
                "Save it with gzip, LZF, szip, Blosc, LZ4, Zstandard, bzip2 or bitshuffle.",
            )
