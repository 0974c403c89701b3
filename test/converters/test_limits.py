"""What holds for every converter: bounded memory, an end on SIGTERM, a full disk, plans that cover every voxel once."""

import os
import shutil
import signal
import time
import unittest
from unittest import mock

import h5py
import netCDF4
import numpy as np
import OpenVisus as ov
import tifffile
from support import ConverterCase

MOST_MORE = 12 << 10  # KiB: a third of what there is more to convert


class Memory(ConverterCase):
    def peak(self, slices):
        """Peak KiB of converting and of proving a stack of `slices` slices of 128 KiB."""
        noise = np.random.default_rng(1).integers(0, 4000, (slices, 256, 256)).astype("u2")
        tifffile.imwrite(os.path.join(self.inputs, "a.tif"), noise)
        converted = self.convert("tiff", slab_bytes=4 << 20)
        self.assert_done(converted)
        return converted.peak, self.prove().peak

    def test_four_times_the_slices_in_the_same_memory(self):
        few, many = self.peak(128), self.peak(512)
        self.assertLess(many[0], few[0] * 1.15)
        self.assertLess(many[1], few[1] * 1.15)


class MemoryOfEach(ConverterCase):
    """12 and 48 MiB of values; each maker returns the parameters."""

    def netcdf(self, times):
        with netCDF4.Dataset(os.path.join(self.inputs, "a.nc"), "w") as file:
            for name, size in (("time", 96 * times), ("y", 256), ("x", 256)):
                file.createDimension(name, size)
            packed = {"chunksizes": (16, 64, 64), "compression": "zlib", "complevel": 1}
            made = file.createVariable("v", "u2", ("time", "y", "x"), **packed)
            for step in range(0, 96 * times, 16):
                made[step : step + 16] = step

    def nexus4d(self, times):
        with h5py.File(os.path.join(self.inputs, "a.nxs"), "w") as file:
            shape = (6 * times, 16, 256, 256)
            made = file.create_dataset("v", shape, "u2", chunks=(1, 16, 64, 64), compression="lzf")
            for step in range(6 * times):
                made[step] = step
            file["x"] = np.arange(6.0 * times)
        return {"Xs": ["/x"]}

    def pictures(self, times, side, count):
        for number in range(count * times):
            values = np.full((side, side, 3), number % 200, "u1")
            path = os.path.join(self.inputs, f"p{number}.tif")
            tifffile.imwrite(path, values, photometric="rgb", compression="zlib", rowsperstrip=16)

    def rgb(self, times):
        self.pictures(times, 256, 64)
        return {"columns": 8}

    def mapir(self, times):
        self.pictures(times, 512, 4)  # with the index and the photo 12 MiB are more: 7 bytes a pixel

    def idx(self, times):
        dataset = ov.CreateIdx(
            url=os.path.join(self.inputs, "visus.idx"), dims=[256, 256, 96 * times], fields=[ov.Field("v", "uint16")],
            filename_template="./blocks/%04x.bin",
        )  # fmt: skip
        for z in range(0, 96 * times, 32):
            dataset.write(np.full((32, 256, 256), z, "u2"), z=z)

    def test_four_times_the_data_in_the_same_memory(self):
        for program in ("netcdf", "nexus4d", "rgb", "mapir", "idx"):
            with self.subTest(program):
                peaks = []
                for times in (1, 4):
                    shutil.rmtree(self.inputs)
                    os.makedirs(self.inputs)
                    parameters = getattr(self, program)(times)
                    run = self.convert(program, parameters=parameters, slab_bytes=2 << 20)
                    self.assert_done(run)
                    peaks.append(run.peak)
                self.assertLess(peaks[1] - peaks[0], MOST_MORE, peaks)


class Ends(ConverterCase):
    def test_sigterm_ends_it_within_two_seconds(self):
        values = np.random.default_rng(1).normal(size=(64, 512, 512))
        tifffile.imwrite(os.path.join(self.inputs, "a.tif"), values)
        for lines in (1, 2):
            process = self.start("tiff", self.request(["a.tif"]))
            for _ in range(lines):
                process.stdout.readline()
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(10), -signal.SIGTERM)
            self.assertLess(time.monotonic() - began, 2)
            process.communicate()

    def test_a_full_disk_is_worth_another_try(self):
        from sluice_convert.product import check_room
        from sluice_convert.report import Fault

        nearly_full = shutil._ntuple_diskusage(100 << 20, 99 << 20, 1 << 20)
        with mock.patch("shutil.disk_usage", return_value=nearly_full), self.assertRaises(Fault) as caught:
            check_room(self.root, 5 << 20)
        self.assertEqual((caught.exception.code, caught.exception.exit_code), ("disk_full", 75))


class SharedOut(unittest.TestCase):
    def test_each_group_is_given_once_and_neighbours_to_one_thread(self):
        from sluice_convert.shares import Shares

        groups = [
            ([[32 * x, 64 * y, 64 * z], []], None, [{"timestep": 0}])
            for z in range(4) for y in range(4) for x in range(4)
        ]  # fmt: skip
        shares = Shares(groups, 2)
        first = [shares.take(0) for _ in range(32)]
        self.assertEqual({group[0][0][1] < 128 for group in first}, {True})
        rest = [shares.take(number) for number in (1, 0) * 16]
        self.assertEqual(sorted(group[0][0] for group in first + rest), sorted(group[0][0] for group in groups))
        self.assertIsNone(shares.take(0))

    def test_what_is_cleared_is_given_to_nobody(self):
        from sluice_convert.shares import Shares

        shares = Shares([([[0, 0], []], None, [{"timestep": 0}])], 3)
        shares.clear()
        self.assertEqual([shares.take(number) for number in range(3)], [None] * 3)


class Plans(unittest.TestCase):
    def test_slabs_and_blocks_cover_every_voxel_once_within_their_limits(self):
        from sluice_convert import plan

        for shape in ((1, 7, 9), (33, 65, 17), (100, 1000, 3), (5, 1, 4096), (3, 4000, 5000)):
            for limit in (1 << 16, 1 << 20, 32 << 20):
                for rows in (True, False):
                    seen = np.zeros(shape, np.uint8)
                    for slab in plan.slabs(shape, 2, limit, rows):
                        z0, z1, y0, y1 = slab
                        self.assertTrue((z1 - z0) * (y1 - y0) * shape[2] * 2 <= limit or (z1 - z0, y1 - y0) == (1, 1))
                        for a, b, c, d, e, f in plan.blocks(slab, shape, 2, limit // 4):
                            seen[a:b, c:d, e:f] += 1
                            self.assertLessEqual((b - a) * (d - c) * (f - e) * 2, limit // 4)
                    self.assertTrue((seen == 1).all(), (shape, limit, rows))

    def test_slabs_meet_large_chunks_seldom_and_cover_every_row_once(self):
        from sluice_convert import plan

        for shape, chunk, most in (
            ((512, 2048, 2048), (128, 64), 2), ((256, 1024, 1024), (256, 64), 1), ((100, 900, 3000), (100, 100), 8),
            ((1, 4000, 5000), (1, 4000), 2), ((512, 2048, 2048), (32, 32), 1),
        ):  # fmt: skip
            seen, met = np.zeros(shape[:2], int), {}
            slabs = plan.slabs(shape, 2, 32 << 20, True, chunk)
            for z0, z1, y0, y1 in slabs:
                self.assertLessEqual((z1 - z0) * (y1 - y0) * shape[2] * 2, 32 << 20)
                self.assertTrue(z1 - z0 >= min(shape[0], plan.block_thickness(shape)))
                seen[z0:z1, y0:y1] += 1
                for z in range(z0 // chunk[0], -(-z1 // chunk[0])):
                    for y in range(y0 // chunk[1], -(-y1 // chunk[1])):
                        met[z, y] = met.get((z, y), 0) + 1
            self.assertTrue((seen == 1).all())
            self.assertLessEqual(max(met.values()), most, (shape, chunk))

    def test_decoded_chunks_are_kept_up_to_a_limit(self):
        from sluice_convert.parts_in_time import chunk_cache, unkept_chunk

        mib = 1 << 20
        for shape, chunks, size, unkept in (
            ((128, 512, 512), (1, 512, 512), 16 * mib, None),  # the slices of a slab
            ((128, 512, 512), (64, 64, 64), 32 * mib, None),
            ((1024, 1024, 1024), (1, 1024, 1024), 2 * mib, None),  # those of a slab would be 128 MiB
            ((1024, 1024, 1024), (128, 128, 128), mib, (128, 128)),
            ((9, 512, 512), (9, 64, 64), 5 * mib, None),
        ):
            flat = shape[0] == 9
            self.assertEqual(chunk_cache(shape, chunks, 2, flat), size if not flat else 9 * 512 * 1024, shape)
            self.assertEqual(unkept_chunk(shape, chunks, 2), unkept, shape)

    def test_natural_order(self):
        from sluice_convert.natural import natural_key

        names = ["img10.tif", "img2.tif", "Img1.tif", "img02b.tif", "a/2/1.tif", "a/10/1.tif"]
        self.assertEqual(
            sorted(names, key=natural_key),
            ["a/2/1.tif", "a/10/1.tif", "Img1.tif", "img2.tif", "img02b.tif", "img10.tif"],
        )


if __name__ == "__main__":
    unittest.main()
