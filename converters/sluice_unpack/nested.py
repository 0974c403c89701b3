"""Archives inside an archive, unpacked in place once; what they hold stays as it is."""

from . import formats, kinds


def unpack_nested(sink, limits):
    """Replaces every archive in the tree by what it holds. The meter goes on: its limits hold for all of it."""
    for path in sink.paths():
        full = f"{sink.tree}/{path}"
        with open(full, "rb") as file:
            kind = kinds.kind_of(file.read(512))
            size = file.seek(0, 2)
        if kind is None:
            continue
        sink.meter.mark()
        inner = {"path": full, "name": f"{sink.archive['name']}/{path}", "size": size, "kind": kind}
        below = _free(sink, path)
        gate, plan = formats.inspect(inner, sink.meter, limits)
        formats.unpack(inner, plan, sink.inside(inner, below), gate, limits, "")
        sink.drop(path)


def _free(sink, path):
    """A place beside the archive that nothing of the tree has."""
    stem = kinds.stem_of(path) or f"{path}-files"
    place, count = stem, 0
    while sink.taken(place):
        count += 1
        place = f"{stem}-{count}"
    return place
