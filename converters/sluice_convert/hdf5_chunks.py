"""Chunks of an HDF5 dataset that deflate packed, unpacked beside HDF5: that does one at a time, under the lock of the
whole library, with an inflate that takes half as long again.
"""

import itertools
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
from isal import isal_zlib

DEFLATE, SHUFFLE = 1, 2
# Of smaller ones what Python does costs more than what it saves; larger ones are unpacked twice as large by each thread.
FEWEST_CHUNK_BYTES, MOST_CHUNK_BYTES = 16 << 10, 32 << 20
MOST_UNPACKED_BYTES = 64 << 20


def is_deflated(dataset):
    """Whether its chunks are of numbers as they lie in memory, packed by deflate, shuffled before that or not."""
    if dataset.chunks is None or dataset.size == 0:
        return False
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(index)[0] for index in range(plist.get_nfilters())]
    if filters not in ([DEFLATE], [SHUFFLE, DEFLATE]) or dataset.id.get_type() != h5py.h5t.py_create(dataset.dtype):
        return False
    return FEWEST_CHUNK_BYTES <= int(np.prod(dataset.chunks)) * dataset.dtype.itemsize <= MOST_CHUNK_BYTES


class Deflated:
    """Reads like the dataset `stored`, by whole numbers and slices of step 1. Keeps up to `kept_bytes` of unpacked chunks
    that reach beyond what was asked for.
    """

    def __init__(self, stored, threads, kept_bytes):
        self.shape, self.dtype = stored.shape, stored.dtype
        self._stored, self._chunks, self._kept_bytes = stored, stored.chunks, kept_bytes
        self._chunk_bytes = int(np.prod(stored.chunks)) * stored.dtype.itemsize
        self._shuffled = stored.shuffle and stored.dtype.itemsize > 1
        self._kept, self._lock = OrderedDict(), threading.Lock()
        self._threads = max(1, min(threads, MOST_UNPACKED_BYTES // (2 * self._chunk_bytes)))
        self._pool = ThreadPoolExecutor(self._threads)

    def close(self):
        self._pool.shutdown()
        self._kept.clear()

    def __getitem__(self, selection):
        picked = selection if isinstance(selection, tuple) else (selection,)
        picked = (*picked, *[slice(None)] * (len(self.shape) - len(picked)))
        bounds = [
            one.indices(size)[:2] if isinstance(one, slice) else (one, one + 1) for one, size in zip(picked, self.shape)
        ]
        values = np.empty([max(0, end - start) for start, end in bounds], self.dtype)
        if values.size:
            starts = [range(low // side * side, high, side) for (low, high), side in zip(bounds, self._chunks)]
            self._fill(values, bounds, itertools.product(*starts))
        return values[tuple(slice(None) if isinstance(one, slice) else 0 for one in picked)]

    def _fill(self, values, bounds, firsts):
        """Fill `values`, which lie at `bounds`, from the chunks that begin at `firsts`: there may be very many."""

        def work():
            while True:
                with self._lock:
                    first = next(firsts, None)
                if first is None:
                    return
                self._copy(values, bounds, first)

        for job in [self._pool.submit(work) for _ in range(self._threads)]:
            job.result()

    def _copy(self, values, bounds, first):
        """Copy into `values`, which lie at `bounds`, what the chunk that begins at `first` has of them."""
        ends = [min(start + side, size) for start, side, size in zip(first, self._chunks, self.shape)]
        low = [max(start, begin) for start, (begin, _) in zip(first, bounds)]
        high = [min(end, stop) for end, (_, stop) in zip(ends, bounds)]
        chunk = self._chunk(first, beyond=low != list(first) or high != ends)
        to = tuple(slice(one - begin, end - begin) for one, end, (begin, _) in zip(low, high, bounds))
        if chunk is None:
            values[to] = self._stored[tuple(slice(one, end) for one, end in zip(low, high))]
        else:
            values[to] = chunk[tuple(slice(one - start, end - start) for one, end, start in zip(low, high, first))]

    def _chunk(self, first, beyond):
        """Its values, or None where they are left to HDF5."""
        with self._lock:
            chunk = self._kept.pop(first, None)
        if chunk is None:
            chunk = self._unpacked(first)
        if chunk is not None and beyond and self._chunk_bytes <= self._kept_bytes:
            with self._lock:
                self._kept[first] = chunk
                while len(self._kept) * self._chunk_bytes > self._kept_bytes:
                    self._kept.popitem(last=False)
        return chunk

    def _unpacked(self, first):
        """None where the chunk was never written or not by all filters, or makes no sense: HDF5 knows what to say of it.

        Raises OSError for one that inflates to less than its size: HDF5 would leave the rest as it lies in memory.
        """
        try:
            mask, packed = self._stored.id.read_direct_chunk(first)
        except (OSError, RuntimeError, ValueError, MemoryError):
            return None
        raw = self._inflated(packed) if mask == 0 else None
        return None if raw is None else self._unshuffled(raw).view(self.dtype).reshape(self._chunks)

    def _inflated(self, packed):
        inflate = isal_zlib.decompressobj()
        try:
            raw = inflate.decompress(packed, self._chunk_bytes)
            more = b"" if inflate.eof else inflate.decompress(inflate.unconsumed_tail, 1)
        except isal_zlib.error:
            return None
        if more or not inflate.eof:
            return None
        if len(raw) < self._chunk_bytes:
            raise OSError(f"a chunk inflates to {len(raw)} bytes instead of {self._chunk_bytes}")
        return raw

    def _unshuffled(self, raw):
        values = np.frombuffer(raw, np.uint8)
        if not self._shuffled:
            return values
        whole = np.empty((values.size // self.dtype.itemsize, self.dtype.itemsize), np.uint8)
        for place, column in enumerate(values.reshape(self.dtype.itemsize, -1)):
            whole[:, place] = column
        return whole.ravel()
