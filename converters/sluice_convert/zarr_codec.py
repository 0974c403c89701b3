"""How the chunks of a Zarr product are packed: by Zstandard, or by LZ4 in the frames of Blosc.

Both are codecs of Zarr v3 that zarr-python and the viewers of OME-NGFF read without anything beside them.
"""

import threading

import numpy as np

BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


def codec_of(name, dtype):
    """The packer of that name, for values of `dtype`."""
    return {"zstd": Zstd, "lz4": Lz4}[name](dtype)


class Zstd:
    """Frames with a checksum: a changed byte is an error for whoever reads it."""

    LEVEL = 1

    def __init__(self, _dtype):
        self._local = threading.local()
        self.codecs = [BYTES, {"name": "zstd", "configuration": {"level": self.LEVEL, "checksum": True}}]

    def pack(self, chunk):
        """Bytes of a chunk, an array in the order of its memory."""
        return self._of_thread()[0].compress(chunk.data)

    def unpack(self, packed):
        return self._of_thread()[1].decompress(packed)

    def _of_thread(self):
        """A compressor serves one thread at a time."""
        if not hasattr(self._local, "pair"):
            import zstandard

            packer = zstandard.ZstdCompressor(level=self.LEVEL, write_checksum=True)
            self._local.pair = packer, zstandard.ZstdDecompressor()
        return self._local.pair


class Lz4:
    """The bytes of values are sorted by their weight first, without which LZ4 finds little in measured values."""

    LEVEL = 5

    def __init__(self, dtype):
        size = np.dtype(dtype).itemsize
        self._shuffle = int(size > 1)
        shuffle = ("noshuffle", "shuffle")[self._shuffle]
        frame = {"cname": "lz4", "clevel": self.LEVEL, "shuffle": shuffle, "typesize": size, "blocksize": 0}
        self.codecs = [BYTES, {"name": "blosc", "configuration": frame}]

    def pack(self, chunk):
        """Bytes of a chunk, an array in the order of its memory."""
        from imagecodecs import blosc_encode

        # It takes the size of a value from the array, whatever else it is told.
        return blosc_encode(chunk, self.LEVEL, compressor="lz4", shuffle=self._shuffle, numthreads=1)

    def unpack(self, packed):
        from imagecodecs import blosc_decode

        return blosc_decode(packed, numthreads=1)
