"""Chunks of deflate that are unpacked beside HDF5: the same values as by HDF5, and its own refusals."""

import ctypes
import glob
import os
import time
import unittest
import zlib
from unittest import mock

import h5py
import netCDF4
import numpy as np
from support import ConverterCase, random_voxels

RANDOM = np.random.default_rng(60)
DONT_FILTER_PARTIAL_CHUNKS = 2
GZIP = {"compression": "gzip", "compression_opts": 4}


class Chunks(ConverterCase):
    count = 0

    def save(self, values, chunks, **options):
        """A file of its own: HDF5 does not write into one that is still open."""
        self.count += 1
        path = os.path.join(self.inputs, f"{self.count}.h5")
        with h5py.File(path, "w") as file:
            file.create_dataset("v", data=values, chunks=chunks, **(GZIP | options))
        return path

    def opened(self, path, kept_bytes=1 << 20):
        from sluice_convert.hdf5_chunks import Deflated

        file = h5py.File(path, "r")
        deflated = Deflated(file["v"], 2, kept_bytes)
        self.addCleanup(file.close)
        self.addCleanup(deflated.close)
        return deflated, file["v"]

    def test_every_selection_reads_as_by_hdf5(self):
        for shape, chunks, options in (
            ((70, 90, 110), (16, 32, 50), {}), ((70, 90, 110), (70, 90, 110), {"shuffle": True}),
            ((5, 40, 90, 110), (2, 40, 32, 64), {"shuffle": True}), ((300, 400), (100, 128), {}),
        ):  # fmt: skip
            for dtype in ("u1", "<u2", ">i4", "<f4", ">f8"):
                values = random_voxels(RANDOM, shape, dtype.strip("<>")).astype(dtype)
                deflated, stored = self.opened(self.save(values, chunks, **options))
                low, high = [size // 3 for size in shape], [size - size // 4 for size in shape]
                for selection in (
                    slice(0, shape[0]), slice(2, 2), tuple(slice(*ends) for ends in zip(low, high)),
                    (low[0], slice(low[1], high[1])), (slice(low[0], None), 0), slice(low[0], shape[0] + 7),
                ):  # fmt: skip
                    with self.subTest(shape=shape, dtype=dtype, selection=selection):
                        found = deflated[selection]
                        self.assertEqual((found.dtype, found.shape), (stored.dtype, stored[selection].shape))
                        self.assertEqual(found.tobytes(), stored[selection].tobytes())

    def test_what_hdf5_stores_in_another_way_is_left_to_it(self):
        from sluice_convert.hdf5_chunks import is_deflated

        values, big = np.arange(64**3, dtype="u2").reshape(64, 64, 64), (32, 32, 32)
        for options, eligible in (
            ({"chunks": big, **GZIP}, True), ({"chunks": big, **GZIP, "shuffle": True}, True),
            ({"chunks": big, **GZIP, "fletcher32": True}, False), ({"chunks": big, "compression": "lzf"}, False),
            ({"chunks": big}, False), ({}, False), ({"chunks": (8, 8, 8), **GZIP}, False),
        ):  # fmt: skip
            with h5py.File(os.path.join(self.inputs, "b.h5"), "w") as file, self.subTest(**options):
                self.assertEqual(is_deflated(file.create_dataset("v", data=values, **options)), eligible)
        with h5py.File(os.path.join(self.inputs, "c.h5"), "w") as file:
            twelve = h5py.h5t.STD_U16LE.copy()
            twelve.set_precision(12)
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_chunk(big)
            plist.set_deflate(1)
            space = h5py.h5s.create_simple((64, 64, 64))
            made = h5py.h5d.create(file.id, b"v", twelve, space, plist)
            self.assertFalse(is_deflated(h5py.Dataset(made)))

    def test_chunks_that_were_never_written_or_not_packed(self):
        path = os.path.join(self.inputs, "a.h5")
        values = np.full((64, 64, 64), 7, "<u2")
        with h5py.File(path, "w") as file:
            made = file.create_dataset("v", values.shape, "<u2", chunks=(32, 64, 64), fillvalue=7, **GZIP)
            values[32:] = random_voxels(RANDOM, (32, 64, 64), "u2")
            made.id.write_direct_chunk((32, 0, 0), values[32:].tobytes(), filter_mask=1)
        deflated, _ = self.opened(path)
        self.assertEqual(deflated[:].tobytes(), values.tobytes())
        self.assert_product(self.convert("hdf5", ["a.h5"]), values)

    def test_a_chunk_that_several_slabs_meet_is_unpacked_once_where_there_is_room(self):
        values = random_voxels(RANDOM, (64, 64, 64), "u2")
        path = self.save(values, (64, 32, 64))
        for kept_bytes, times in ((1 << 20, 2), (1000, 16)):
            deflated, _ = self.opened(path, kept_bytes)
            with mock.patch.object(deflated, "_unpacked", wraps=deflated._unpacked) as unpacked:
                for z in range(0, 64, 8):
                    self.assertEqual(deflated[z : z + 8].tobytes(), values[z : z + 8].tobytes())
            self.assertEqual(len(unpacked.call_args_list), times)
        deflated, _ = self.opened(path)
        deflated[:]
        self.assertEqual(len(deflated._kept), 0)

    def test_a_damaged_chunk_is_refused(self):
        values, packed = random_voxels(RANDOM, (64, 64, 64), "u2"), {}
        raw = values[32:].tobytes()
        packed["no stream"] = b"no stream of deflate"
        packed["short"] = zlib.compress(raw[:-2])
        packed["cut"] = zlib.compress(raw)[:-2]
        packed["checksum"] = zlib.compress(raw)[:-1] + bytes([zlib.compress(raw)[-1] ^ 1])
        for what, content in packed.items():
            path = self.save(values, (32, 64, 64))
            with h5py.File(path, "r+") as file:
                file["v"].id.write_direct_chunk((32, 0, 0), content)
            with self.subTest(what):
                self.assert_refused(self.convert("hdf5", [os.path.basename(path)]), "truncated")

    def test_chunks_at_the_edge_may_be_left_without_filters(self):
        path, values = os.path.join(self.inputs, "a.h5"), random_voxels(RANDOM, (70, 90, 110), "u2")
        with h5py.File(path, "w", libver="latest") as file:
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            plist.set_chunk((32, 32, 64))
            plist.set_shuffle()
            plist.set_deflate(1)
            (library,) = glob.glob(os.path.join(os.path.dirname(h5py.__path__[0]), "h5py.libs", "libhdf5-*.so*"))
            set_chunk_opts = ctypes.CDLL(library).H5Pset_chunk_opts  # h5py has no name for it
            set_chunk_opts.argtypes = (ctypes.c_int64, ctypes.c_uint)
            self.assertEqual(set_chunk_opts(plist.id, DONT_FILTER_PARTIAL_CHUNKS), 0)
            made = h5py.h5d.create(file.id, b"v", h5py.h5t.STD_U16LE, h5py.h5s.create_simple(values.shape), plist)
            h5py.Dataset(made)[:] = values
        self.assert_product(self.convert("hdf5", ["a.h5"]), values)

    def test_a_chunk_among_very_many_is_found_at_once(self):
        path, count = os.path.join(self.inputs, "a.h5"), 30_000
        packed = zlib.compress(bytes(64 * 128 * 2), 1)
        with h5py.File(path, "w") as file:
            made = file.create_dataset("v", (count, 64, 128), "u2", chunks=(1, 64, 128), **GZIP)
            for z in range(count):
                made.id.write_direct_chunk((z, 0, 0), packed)
        deflated, stored = self.opened(path)
        took = []
        for reader in (stored, deflated):
            began = time.process_time()
            reader[count - 500 :]
            took.append(time.process_time() - began)
        self.assertLess(took[1], 10 * took[0] + 0.05)  # a walk through all of them took thirty times as long

    def test_memory_follows_neither_the_chunk_nor_their_number(self):
        from sluice_convert.hdf5_chunks import MOST_UNPACKED_BYTES, is_deflated

        with h5py.File(os.path.join(self.inputs, "a.h5"), "w") as file:
            wide = file.create_dataset("wide", (64, 1024, 1024), "u2", chunks=(64, 1024, 1024), **GZIP)
            self.assertFalse(is_deflated(wide))
            tall = file.create_dataset("v", (16, 1024, 1024), "u2", chunks=(16, 1024, 1024), **GZIP)
            self.assertTrue(is_deflated(tall))
        deflated, _ = self.opened(os.path.join(self.inputs, "a.h5"))
        self.assertLessEqual(deflated._threads * 2 * deflated._chunk_bytes, MOST_UNPACKED_BYTES)


class Netcdf(ConverterCase):
    def save(self, name, steps, more_steps=0, dtype="<i2", **options):
        values = random_voxels(RANDOM, (steps, 60, 70, 80), "i2")
        with netCDF4.Dataset(os.path.join(self.inputs, name), "w") as file:
            for axis, size in zip("tzyx", (None, *values.shape[1:])):
                file.createDimension({"t": "time"}.get(axis, axis), size)
            group = file.createGroup("ocean")
            options |= {"zlib": True, "fill_value": -1, "endian": "big" if dtype[0] == ">" else "little"}
            made = group.createVariable("v", dtype, ("time", "z", "y", "x"), **options)
            made[:] = values
            if more_steps:
                group.createVariable("other", "u1", ("time",))[:] = np.zeros(steps + more_steps)
        return values

    def reader(self, names):
        """What the voxels are read by."""
        import netcdf
        from sluice_convert.report import Reporter

        def used(source, *_):
            found = type(source._use(0)).__name__
            source._use(len(names) - 1)
            source.close()
            return found

        with mock.patch("sluice_convert.product.convert", side_effect=used):
            return netcdf.main(self.request(names), Reporter(None))

    def test_variables_of_deflate(self):
        for options in ({}, {"shuffle": False}, {"dtype": ">i2"}):
            values = [self.save(f"{k}.nc", 2, chunksizes=(1, 30, 35, 80), **options) for k in range(2)]
            with self.subTest(**options):
                self.assertEqual(self.reader(["0.nc", "1.nc"]), "Deflated")
                self.assert_product(self.convert("netcdf", ["0.nc", "1.nc"]), np.concatenate(values), timesteps=4)

    def test_a_variable_named_like_one_of_its_dimensions(self):
        values = random_voxels(RANDOM, (60, 70, 80), "i2")
        with netCDF4.Dataset(os.path.join(self.inputs, "a.nc"), "w") as file:
            for axis, size in zip("zvx", values.shape):
                file.createDimension(axis, size)
            file.createVariable("v", "i2", ("z", "v", "x"), zlib=True, chunksizes=(30, 35, 80))[:] = values
        self.assert_product(self.convert("netcdf", ["a.nc"], parameters={"variable": "v"}), values)

    def test_what_only_netcdf_knows_is_left_to_it(self):
        values = self.save("a.nc", 2, more_steps=1, chunksizes=(1, 30, 35, 80))
        self.assertEqual(self.reader(["a.nc"]), "Variable")
        whole = np.concatenate([values, np.full((1, *values.shape[1:]), -1, "i2")])
        run = self.convert("netcdf", ["a.nc"], parameters={"variable": "ocean/v"})
        self.assert_product(run, whole, timesteps=3)


if __name__ == "__main__":
    unittest.main()
