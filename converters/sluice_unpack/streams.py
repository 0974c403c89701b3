"""Compressed streams, unpacked piece by piece: no input, however it expands, takes more memory than a piece."""

import bz2
import lzma
import queue
import threading

from sluice_convert.report import Fault

# Small enough for a processor's cache, and for an allocator that keeps them.
PIECE = 256 * 1024
_READ = 64 * 1024
# Pieces that may wait for whoever writes them.
_AHEAD = 8


class Deflate:
    """Raw deflate in the shape of the other decompressors."""

    def __init__(self):
        from isal import isal_zlib

        self._inner, self._rest = isal_zlib.decompressobj(-15), b""

    def decompress(self, data, most):
        out = self._inner.decompress(self._rest + data if self._rest else data, most)
        self._rest = self._inner.unconsumed_tail
        # Output may wait inside although all input is taken; an empty answer tells that it does not.
        self._full = len(out) == most
        return out

    @property
    def eof(self):
        return self._inner.eof

    @property
    def needs_input(self):
        return not self._rest and not self._full

    @property
    def unused_data(self):
        return self._inner.unused_data


def xz(limits):
    return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=limits["window"])


def unpacked(read, make, many=False, end_padding=False):
    """Yields pieces until the stream ends.

    `read()` gives packed bytes, empty at their end; `make()` a decompressor; `many`: streams may follow one another,
    as gzip, bzip2 and xz allow. Raises EOFError for a stream that is cut off or has something behind it.
    """
    one, data = make(), read()
    while True:
        out = one.decompress(data, PIECE)
        if out:
            yield out
        data = b""
        if one.eof:
            rest = one.unused_data or (read() if many else b"")
            if not many:
                return
            rest = _beyond_padding(rest, read) if end_padding else rest
            if not rest:
                return
            one, data = make(), rest
        elif one.needs_input:
            data = read()
            if not data:
                raise EOFError("it is cut off")


def _beyond_padding(rest, read):
    """Tapes and xz may have zeros behind a stream."""
    while rest and not rest.strip(b"\0"):
        rest = read()
    return rest.lstrip(b"\0")


def gunzipped(file):
    """Yields pieces of a gzip file. A piece is overwritten when as many others as may wait were asked for."""
    from isal import isal_zlib

    reader, at = isal_zlib._GzipReader(file, _READ), 0
    buffers = [memoryview(bytearray(PIECE)) for _ in range(_AHEAD + 2)]
    while count := reader.readinto(buffers[at]):
        yield buffers[at][:count]
        at = (at + 1) % len(buffers)


def zstd(file, limits):
    """Yields pieces of a zstd file. Its frames must have been found whole: the library does not see a cut."""
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=limits["window"])
    with unpacker.stream_reader(file, read_size=_READ, read_across_frames=True, closefd=False) as reader:
        while piece := reader.read(PIECE):
            yield piece


def open_stream(kind, path, limits):
    """The unpacked pieces of a compressed file, and a function that tells how many packed bytes were read."""
    file = open(path, "rb", buffering=0)  # closed with the process, which does nothing else
    read = lambda: file.read(_READ)  # noqa: E731
    if kind == "gz":
        pieces = gunzipped(file)
    elif kind == "bz2":
        pieces = unpacked(read, bz2.BZ2Decompressor, many=True)
    elif kind == "xz":
        pieces = unpacked(read, xz(limits), many=True, end_padding=True)
    elif kind == "zst":
        pieces = zstd(file, limits)
    else:
        pieces = iter(lambda: file.read(PIECE), b"")
    return ahead(pieces), file.tell


def ahead(pieces):
    """The same pieces, unpacked by a thread of their own while the caller writes and hashes the ones before.

    The caller must be done with a piece when it asks for the next.
    """
    waiting, stop = queue.Queue(_AHEAD), threading.Event()

    def work():
        try:
            for piece in pieces:
                if stop.is_set():
                    return
                waiting.put((piece, None))
            waiting.put((None, None))
        except BaseException as error:  # told to the caller
            waiting.put((None, error))

    threading.Thread(target=work, daemon=True).start()
    try:
        while True:
            piece, error = waiting.get()
            if error is not None:
                raise error
            if piece is None:
                return
            yield piece
    finally:
        stop.set()
        while not waiting.empty():
            waiting.get_nowait()


class Bytes:
    """Reads exact numbers of bytes from pieces."""

    def __init__(self, pieces):
        self._pieces, self._rest = iter(pieces), memoryview(b"")

    def take(self, count):
        """Exactly so many bytes, or fewer at the end. For headers."""
        parts = b"".join(self.some(count))
        return parts

    def some(self, count):
        """Pieces of so many bytes together, or fewer at the end."""
        while count > 0:
            if not self._rest:
                self._rest = memoryview(next(self._pieces, b""))
                if not self._rest:
                    return
            part, self._rest = self._rest[:count], self._rest[count:]
            count -= len(part)
            yield part


def too_large(name, what):
    return Fault("archive_unsupported", f"{name} needs more memory to unpack than is given to it ({what}).")
