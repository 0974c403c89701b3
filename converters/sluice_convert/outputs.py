"""Which forms of product a dataset gets: `idx` (the default), `zarr`, or `both` in one pass over the source."""

from .report import Fault

CHOICES = ("zarr", "both")


def writer_of(wish, sources, output, codec, limits):
    """The writer of `zarr` or `both`; what only they need is imported here."""
    if wish not in CHOICES:
        raise Fault("bad_content", f"The output {wish!r} is not known; it is idx, zarr or both.")
    from . import product
    from .slabs import field_of, raw_bytes
    from .zarr_write import ZarrWriter

    index = product.Writer(sources, output, codec) if wish == "both" else None
    zarr = ZarrWriter(sources, list(map(field_of, sources)), output, limits)
    raw = sum(map(raw_bytes, sources)) * sources[0].timesteps
    return Outputs(index, zarr, raw)


class Outputs:
    """A Zarr product being filled and, where both are wanted, an OpenVisus dataset with it."""

    def __init__(self, index, zarr, raw):
        self._index, self._zarr, self._raw = index, zarr, raw
        self.copies = 1 if index is None else 2
        self.proof = {}
        zarr_entry = {"kind": "zarr", "entry": "data.zarr"}
        self.entry = zarr_entry if index is None else {**index.entry, "zarr": "data.zarr"}

    def write(self, timestep, box, values, field=0):
        """One slab to both at once."""
        started = self._zarr.start(timestep, box, values, field)
        if self._index is not None:
            self._index.write(timestep, box, values, field)
        self._zarr.settle(started)

    def read(self, timestep, box, field=0):
        """What stands in a box, if it is the same in both."""
        values = self._zarr.read(timestep, box, field)
        if self._index is not None and self._index.read(timestep, box, field).tobytes() != values.tobytes():
            raise ValueError("the two forms differ")
        return values

    def compress(self, threads, ranges, told, noted):
        """Finish them; returns (blocks and chunks, bytes on disk)."""
        blocks = size = before = 0
        if self._index is not None:
            blocks, size = self._index.compress(threads, ranges, told, noted)
            before = self._raw
        chunks, more, record = self._zarr.finish(lambda share: told(before + share * self._raw), noted)
        self.proof = {"zarr": record}
        return blocks + chunks, size + more
