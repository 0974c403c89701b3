"""Which forms of product a dataset gets: `idx` (the default), `zarr`, or `both` in one pass over the source."""

from .idx_write import IdxWriter
from .report import Fault
from .slabs import field_of, raw_bytes

# Of each form the codecs that its readers have, the usual one first. OpenVisus reads no Zstandard.
CODECS = {"idx": ("zip", "lz4"), "zarr": ("zstd", "lz4")}
FORMS = {"idx": ("idx",), "zarr": ("zarr",), "both": ("idx", "zarr")}


def codecs_of(parameters):
    """{form: codec} of the forms that `parameters` wish. Raises bad_content for one that there is not."""
    wish, codec = parameters.get("output", "idx"), parameters.get("compression")
    if wish not in FORMS:
        raise Fault("bad_content", f"The output {wish!r} is not known; it is idx, zarr or both.")
    for form in FORMS[wish]:
        if codec is not None and codec not in CODECS[form]:
            known = " or ".join(CODECS[form])
            raise Fault("bad_content", f"The compression {codec!r} is not one of {form}; there it is {known}.")
    return {form: codec or CODECS[form][0] for form in FORMS[wish]}


def writer_of(codecs, sources, output, limits):
    """The writer of the forms that have a codec; what only Zarr needs is imported here."""
    index = IdxWriter(sources, output, codecs["idx"]) if "idx" in codecs else None
    if "zarr" not in codecs:
        return index
    from .zarr_write import ZarrWriter

    zarr = ZarrWriter(sources, list(map(field_of, sources)), output, codecs["zarr"], limits)
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
