"""TIFF: every way to lay out slices comes out equal, voxel by voxel, and every bad input has its code."""

import os
import unittest

import numpy as np
import tifffile
from support import ConverterCase, random_voxels

RANDOM = np.random.default_rng(20)


def voxels(*shape, dtype="u2"):
    return random_voxels(RANDOM, shape, dtype)


class TiffCase(ConverterCase):
    def save(self, name, values, **options):
        path = os.path.join(self.inputs, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        tifffile.imwrite(path, values, **({"photometric": "minisblack"} | options))
        return path


class Layouts(TiffCase):
    def test_one_page_is_an_image(self):
        values = voxels(37, 61)
        self.save("a.TIF", values)
        run = self.convert("tiff")
        self.assert_product(run, values)
        self.assertEqual(run.result["dims"], [61, 37])
        self.assertEqual(run.result["metadata"]["axes"], ["x", "y"])
        self.assertEqual((run.result["min"], run.result["max"]), (values.min(), values.max()))

    def test_blocks_are_packed_by_the_codec_that_is_asked_for(self):
        from sluice_convert.blockfiles import FLAGS, block_files, read_table

        values = np.arange(40 * 90 * 70, dtype="u2").reshape(40, 90, 70)
        self.save("a.tif", values)
        flags = {}
        for codec in ("zip", "lz4"):
            run = self.convert("tiff", parameters={"compression": codec})
            self.assert_product(run, values)
            (path,) = block_files(self.output)
            with open(path, "rb") as file:
                table = read_table(file, run.result["blocks"])
            flags[codec] = set(table[:, FLAGS].tolist())
        self.assertEqual(flags, {"zip": {0x13}, "lz4": {0x17}})
        self.assert_refused(self.convert("tiff", parameters={"compression": "rar"}), "bad_content")

    def test_pages_of_one_file_are_z(self):
        values = voxels(19, 37, 61)
        self.save("a.tif", values)
        run = self.convert("tiff")
        self.assert_product(run, values)
        self.assertEqual(
            (run.result["dims"], run.result["dtype"], run.result["field"]), ([61, 37, 19], "uint16", "data")
        )

    def test_files_are_z_in_natural_order(self):
        values = voxels(12, 21, 33)
        for number in range(12):
            self.save(f"scan/img{number}.tif", values[number])
        run = self.convert("tiff", [f"scan/img{number}.tif" for number in (10, 2, 11, 0, 1, 9, 3, 8, 4, 7, 5, 6)])
        self.assert_product(run, values)
        self.assertEqual(run.result["metadata"]["last_file"], "scan/img11.tif")

    def test_files_with_pages_are_timesteps(self):
        values = voxels(3, 5, 21, 33)
        for step in range(3):
            self.save(f"t{step}.tiff", values[step])
        run = self.convert("tiff")
        self.assert_product(run, values, timesteps=3)
        self.assertEqual((run.result["timesteps"], run.result["dims"]), (3, [33, 21, 5]))

    def test_other_and_hidden_files_are_left_alone(self):
        values = voxels(9, 11)
        self.save("a.tif", values)
        for name in ("notes.txt", "._a.tif"):
            with open(os.path.join(self.inputs, name), "w") as file:
                file.write("not a picture")
        self.assert_product(self.convert("tiff"), values)

    def test_files_without_an_ending(self):
        values = voxels(3, 9, 11)
        for number in range(3):
            self.save(f"slice{number}{'.tif' if number == 1 else ''}", values[number])
        self.assert_product(self.convert("tiff"), values)

    def test_big_slices_are_read_in_bands_of_rows(self):
        values = voxels(5, 700, 900)
        for name, options in (("raw.tif", {}), ("tiles.tif", {"tile": (64, 128), "compression": "zlib"})):
            with self.subTest(name):
                self.save(name, values, **options)
                self.assert_product(self.convert("tiff", [name], slab_bytes=1 << 18), values)

    def test_other_containers(self):
        colour, path = voxels(3, 40, 700, dtype="u1"), os.path.join(self.inputs, "a.tif")
        for name, values, options in (
            ("BigTIFF", voxels(3, 40, 70), {"bigtiff": True}),
            ("BigTIFF, big-endian", voxels(3, 40, 70), {"bigtiff": True, "byteorder": ">", "compression": "zlib"}),
            ("planes apart", colour, {"photometric": "rgb", "planarconfig": "separate"}),
            ("packed planes apart", colour, {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}),
            ("JPEG in strips", np.moveaxis(colour, 0, -1), {"photometric": "rgb", "rowsperstrip": 16}),
            ("JPEG in tiles", np.moveaxis(colour, 0, -1), {"photometric": "rgb", "tile": (16, 32)}),
        ):  # fmt: skip
            with self.subTest(name):
                if "JPEG" in name:
                    options = options | {"compression": "jpeg", "compressionargs": {"level": 90}}
                self.save("a.tif", values, **options)
                wanted = tifffile.imread(path)
                wanted = np.moveaxis(wanted, 0, -1) if "planes" in name else wanted
                self.assert_product(self.convert("tiff", slab_bytes=1 << 14), wanted)

    def test_jpeg_of_several_strips_with_tables_in_the_directory(self):
        values, path = voxels(700, 900, 3, dtype="u1") // 32, os.path.join(self.inputs, "a.tif")
        self.save("a.tif", values, photometric="rgb", compression="jpeg", rowsperstrip=64)
        with tifffile.TiffFile(path) as file:
            wanted = file.asarray()
        self.assert_product(self.convert("tiff", slab_bytes=1 << 17), wanted)

    def test_one_tall_compressed_strip_is_decoded_once_and_cut(self):
        values = voxels(2, 700, 900)
        self.save("a.tif", values, compression="zlib", rowsperstrip=700)
        self.assert_product(self.convert("tiff", slab_bytes=1 << 18), values)


class Types(TiffCase):
    def test_types_are_kept(self):
        for dtype in ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"):
            with self.subTest(dtype):
                values = voxels(3, 17, 23, dtype=dtype)
                self.save("a.tif", values)
                self.assert_product(self.convert("tiff"), values)

    def test_big_endian_becomes_little(self):
        values = voxels(3, 17, 23)
        self.save("a.tif", values, byteorder=">")
        self.assert_product(self.convert("tiff"), values)

    def test_compressed_pages(self):
        values = voxels(3, 170, 230)
        for compression in ("lzw", "zlib", "zstd", "packbits"):
            with self.subTest(compression):
                self.save("a.tif", values, compression=compression)
                self.assert_product(self.convert("tiff"), values)

    def test_a_stack_in_one_directory(self):
        values = voxels(6, 17, 23)
        self.save("a.tif", values, truncate=True)
        self.assert_product(self.convert("tiff"), values)

    def test_imagej(self):
        values = voxels(6, 17, 23)
        self.save("a.tif", values, imagej=True)
        self.assert_product(self.convert("tiff"), values)

    def test_colour_is_one_field_of_three_samples(self):
        values = voxels(17, 23, 3, dtype="u1")
        self.save("a.tif", values, photometric="rgb")
        run = self.convert("tiff")
        self.assert_product(run, values)
        self.assertEqual(run.result["dtype"], "uint8[3]")

    def test_nan_stays_and_is_no_range(self):
        values = voxels(4, 17, 23, dtype="f4")
        values[1, 2, 3:9], values[2, 0, 0] = np.nan, np.inf
        self.save("a.tif", values)
        run = self.convert("tiff")
        self.assert_product(run, values)
        finite = values[np.isfinite(values)]
        self.assertEqual((run.result["min"], run.result["max"]), (finite.min(), finite.max()))

    def test_no_finite_value_is_said(self):
        self.save("a.tif", np.full((3, 9, 9), np.nan, "f4"))
        run = self.convert("tiff")
        self.assert_done(run)
        self.assertIsNone(run.result["min"])
        self.assertTrue(run.result["metadata"]["no_finite_value"])
        self.assert_done(self.prove())


class OddTags(TiffCase):
    """Tags that have nothing to do with pixels may point anywhere; directories and strips may not."""

    def pointing(self, code, place):
        """A TIFF whose tag `code`, a long list, has another offset."""
        values = voxels(17, 23)
        path = self.save("a.tif", values, extratags=[(65000, "I", 9, (7,) * 9, True)])
        with tifffile.TiffFile(path) as file:
            at = file.pages[0].tags[65000].offset
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(code.to_bytes(2, "little"))
            file.seek(at + 8)
            file.write(int(place).to_bytes(4, "little"))
        return values

    def test_they_do_not_refuse_a_file_with_good_pixels(self):
        for code in (65000, 34853, 34665, 37724):
            for place in (0, 1 << 30, 20):
                with self.subTest(code=code, place=place):
                    values = self.pointing(code, place)
                    self.assert_product(self.convert("tiff"), values)
                    self.assert_done(self.convert("rgb"))

    def test_those_of_pixels_do(self):
        for code in (273, 279):
            with self.subTest(code):
                path = self.save("a.tif", voxels(64, 64), compression="zlib", rowsperstrip=8)
                with tifffile.TiffFile(path) as file:
                    at = file.pages[0].tags[code].offset
                with open(path, "r+b") as file:
                    file.seek(at + 8)
                    file.write((1 << 30).to_bytes(4, "little"))
                self.assert_refused(self.convert("tiff"), "truncated", "a.tif")


class Refusals(TiffCase):
    def test_nothing_at_all(self):
        self.assert_refused(self.convert("tiff", []), "empty_input")

    def test_no_tiff_names_what_was_there(self):
        with open(os.path.join(self.inputs, "readme.txt"), "w") as file:
            file.write("hello")
        self.assert_refused(self.convert("tiff"), "no_tiff", "readme.txt")

    def test_text_that_calls_itself_tiff(self):
        with open(os.path.join(self.inputs, "a.tif"), "w") as file:
            file.write("this is text")
        self.assert_refused(self.convert("tiff"), "not_tiff", "a.tif")

    def test_empty_file(self):
        open(os.path.join(self.inputs, "a.tif"), "w").close()
        self.assert_refused(self.convert("tiff"), "empty_input", "a.tif")

    def test_cut_files(self):
        for options in ({}, {"compression": "zlib"}, {"imagej": True}):
            path = self.save("a.tif", voxels(40, 60, 60), **options)
            whole = os.path.getsize(path)
            for length in (whole - 1000, whole // 2, 300, 6):
                with self.subTest(options=options, length=length):
                    self.save("a.tif", voxels(40, 60, 60), **options)
                    os.truncate(path, length)
                    self.assert_refused(self.convert("tiff"), "truncated", "a.tif")

    def test_damaged_compressed_page(self):
        path = self.save("a.tif", voxels(2, 90, 90), compression="zlib")
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) - 500)
            file.write(b"\xff" * 200)
        self.assert_refused(self.convert("tiff"), "truncated", "a.tif")

    def test_slices_of_two_sizes(self):
        self.save("a1.tif", voxels(9, 11))
        self.save("a2.tif", voxels(9, 12))
        self.assert_refused(self.convert("tiff"), "slice_mismatch", "a1.tif", "a2.tif", "11 x 9", "12 x 9")

    def test_slices_of_two_types(self):
        self.save("a1.tif", voxels(9, 11))
        self.save("a2.tif", voxels(9, 11, dtype="f4"))
        self.assert_refused(self.convert("tiff"), "slice_mismatch", "uint16", "float32")

    def test_timesteps_of_two_depths(self):
        self.save("t1.tif", voxels(3, 9, 11))
        self.save("t2.tif", voxels(4, 9, 11))
        self.assert_refused(self.convert("tiff"), "slice_mismatch", "t2.tif", "3 slices")

    def test_types_that_openvisus_cannot_keep(self):
        self.save("a.tif", np.ones((9, 11), "c8"))
        self.assert_refused(self.convert("tiff"), "unsupported_type", "complex64")
        self.save("a.tif", np.ones((9, 11), bool))
        self.assert_refused(self.convert("tiff"), "unsupported_type", "bool")

    def test_a_page_that_is_packed_in_one_huge_piece(self):
        self.save("a.tif", np.zeros((24 << 10, 24 << 10), "u1"), compression="zlib", rowsperstrip=24 << 10)
        run = self.convert("tiff")
        self.assert_refused(run, "unsupported_shape", "a.tif", "512 MiB", "tiles")
        self.assertLess(run.peak, 400 << 10)
        self.save("b.tif", np.zeros((24 << 10, 24 << 10), "u1"), compression="zlib", rowsperstrip=256)
        run = self.convert("tiff", ["b.tif"])
        self.assert_done(run)
        self.assertLess(run.peak, 400 << 10)

    def test_a_single_row(self):
        self.save("a.tif", voxels(1, 9))
        self.assert_refused(self.convert("tiff"), "unsupported_shape")


if __name__ == "__main__":
    unittest.main()
