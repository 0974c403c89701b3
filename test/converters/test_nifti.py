"""NIfTI: both versions, byte orders, types and orientations come out equal, and every bad input has its code."""

import gzip
import json
import os
import struct
import unittest

import numpy as np
from support import ConverterCase, random_voxels

RANDOM = np.random.default_rng(50)
CODES = {"u1": 2, "i2": 4, "i4": 8, "f4": 16, "f8": 64, "i1": 256, "u2": 512, "u4": 768, "i8": 1024, "u8": 1280}
SROW = (-2.0, 0.0, 0.0, 90.0, 0.0, 2.5, 0.0, -126.0, 0.0, 0.0, 3.0, -72.0)
MM_AND_SECONDS = 2 | 8


def header1(dim, code, order="<", **more):
    """The 352 bytes before the values of a NIfTI-1 file, field by field as its definition lists them."""
    told = {"pixdim": (1.0, 2.0, 2.5, 3.0, 0.7, 0, 0, 0), "slope": 0.0, "inter": 0.0, "units": MM_AND_SECONDS} | more
    sizes = list(dim) + [1] * (7 - len(dim))
    return b"".join((
        struct.pack(order + "i35xB", 348, 0), struct.pack(order + "8h", told.get("rank", len(dim)), *sizes),
        struct.pack(order + "3fh", 0, 0, 0, 0), struct.pack(order + "3h", code, told.get("bits", 0), 0),
        struct.pack(order + "8f", *told["pixdim"]), struct.pack(order + "f", told.get("offset", 352.0)),
        struct.pack(order + "2fhBB", told["slope"], told["inter"], 0, 0, told["units"]),
        struct.pack(order + "4f2i", 100.0, 0.0, 0.0, 0.0, 0, 0), b"made by a test".ljust(80, b"\0"), bytes(24),
        struct.pack(order + "2h6f", told.get("qform", 0), told.get("sform", 0), *told.get("turn", [0] * 6)),
        struct.pack(order + "12f", *told.get("srow", [0] * 12)), bytes(16), told.get("magic", b"n+1\0"), bytes(4),
    ))  # fmt: skip


def header2(dim, code, order="<", **more):
    """The 544 bytes before the values of a NIfTI-2 file."""
    sizes = list(dim) + [1] * (7 - len(dim))
    return b"".join((
        struct.pack(order + "i", 540), b"n+2\0\r\n\x1a\n", struct.pack(order + "2h8q", code, 0, len(dim), *sizes),
        struct.pack(order + "3d8dq", 0, 0, 0, 1, 2.0, 2.5, 3.0, 0.7, 0, 0, 0, more.get("offset", 544)),
        struct.pack(order + "6d2q", 0, 0, 100.0, 0, 0, 0, 0, 0), b"made by a test".ljust(80, b"\0"), bytes(24),
        struct.pack(order + "2i6d12d", 0, 1, *[0] * 6, *SROW), struct.pack(order + "3i", 0, 3, 0), bytes(16 + 1 + 15 + 4),
    ))  # fmt: skip


def voxels(*shape, dtype="i2"):
    return random_voxels(RANDOM, shape, dtype)


class NiftiCase(ConverterCase):
    def save(self, name, values, header=header1, order="<", code=None, dim=None, **more):
        """Values as (…, z, y, x): the axis that the format counts first varies fastest."""
        code = CODES[values.dtype.str[1:]] if code is None else code
        content = header(dim or values.shape[::-1], code, order, **more)
        content += values.astype(values.dtype.newbyteorder(order)).tobytes()
        return self.write(name, gzip.compress(content, 1) if name.endswith(".gz") else content)

    def write(self, name, content):
        path = os.path.join(self.inputs, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def kept(self):
        with open(os.path.join(self.output, "metadata.json")) as file:
            return json.load(file)


class Layouts(NiftiCase):
    def test_headers_have_the_lengths_of_the_definition(self):
        self.assertEqual((len(header1((1, 2), 4)), len(header2((1, 2), 4))), (352, 544))

    def test_two_to_four_axes(self):
        for shape, steps in (((37, 61), 1), ((19, 37, 61), 1), ((3, 9, 17, 31), 3), ((5, 1, 17, 31), 5)):
            with self.subTest(shape):
                values = voxels(*shape)
                self.save("a.nii", values)
                run = self.convert("nifti")
                self.assert_product(run, values[:, 0] if shape[1] == 1 else values, timesteps=steps)
                self.assertEqual(run.result["timesteps"], steps)

    def test_axes_of_one_voxel_at_the_end_do_not_count(self):
        values = voxels(19, 37, 61)
        self.save("a.nii", values, dim=(61, 37, 19, 1, 1))
        run = self.convert("nifti")
        self.assert_product(run, values)
        self.assertEqual(run.result["metadata"]["axes"], ["x", "y", "z"])

    def test_versions_byte_orders_and_packing(self):
        values = voxels(3, 9, 17, 31)
        for header, order, name in (
            (header1, "<", "a.nii"), (header1, ">", "a.nii.gz"), (header2, "<", "b.nii.gz"), (header2, ">", "b.nii"),
        ):  # fmt: skip
            with self.subTest(header=header.__name__, order=order, name=name):
                self.save(name, values, header, order)
                self.assert_product(self.convert("nifti", [name]), values, timesteps=3)

    def test_types_are_kept(self):
        for dtype in ("i1", "u4", "f4", "f8", "u8"):
            with self.subTest(dtype):
                values = voxels(5, 17, 23, dtype=dtype)
                self.save("a.nii", values, order=">")
                self.assert_product(self.convert("nifti"), values)

    def test_colours_are_samples(self):
        for code, samples in ((128, 3), (2304, 4)):
            values = voxels(5, 17, 23, samples, dtype="u1")
            self.save("a.nii", values, code=code, dim=(23, 17, 5))
            run = self.convert("nifti")
            self.assert_product(run, values)
            self.assertEqual(run.result["dtype"], f"uint8[{samples}]")

    def test_big_slices_are_read_in_bands_of_rows(self):
        values = voxels(2, 5, 700, 900)
        for name in ("a.nii", "a.nii.gz"):
            with self.subTest(name):
                self.save(name, values)
                self.assert_product(self.convert("nifti", [name], slab_bytes=1 << 18), values, timesteps=2)

    def test_files_follow_one_another_in_natural_order(self):
        values = voxels(12, 9, 17, 31)
        for number in range(12):
            self.save(f"vol{number}.nii", values[number], order="<>"[number % 2])
        self.assert_product(self.convert("nifti"), values, timesteps=12)

    def test_known_by_content_where_the_name_says_nothing(self):
        values = voxels(9, 17, 31)
        self.save("brain", values)
        self.write("notes.txt", b"not an image")
        self.assert_product(self.convert("nifti"), values)

    def test_values_may_begin_later(self):
        values = voxels(9, 17, 31)
        content = header1((31, 17, 9), 4, offset=416.0) + bytes(64) + values.tobytes()
        self.write("a.nii", content)
        self.assert_product(self.convert("nifti"), values)

    def test_nothing_finite_is_said(self):
        values = np.full((3, 9, 9), np.nan, "f4")
        values[1] = np.inf
        self.save("a.nii", values)
        run = self.convert("nifti")
        self.assert_product(run, values)
        self.assertTrue(run.result["metadata"]["no_finite_value"])


class Kept(NiftiCase):
    def test_slope_units_sizes_and_the_sform(self):
        self.save("a.nii", voxels(3, 9, 17, 31), slope=0.5, inter=-3.0, sform=4, srow=SROW)
        told = self.convert("nifti").result["metadata"]
        self.assertEqual((told["scale_factor"], told["add_offset"]), (0.5, -3.0))
        self.assertEqual(told["units"], {"space": "mm", "time": "s"})
        self.assertEqual(told["voxel_size"], [0.7, 3.0, 2.5, 2.0])
        self.assertEqual(told["orientation"], "LAS")
        kept = self.kept()
        self.assertEqual(kept["dimensions"][3], {"name": "x", "size": 31, "units": "mm", "spacing": 2.0})
        self.assertEqual(kept["dimensions"][0], {"name": "time", "size": 3, "units": "s", "spacing": 0.7})
        self.assertEqual((kept["affine"], kept["affine_from"]), ([list(SROW[k : k + 4]) for k in (0, 4, 8)], "sform"))
        self.assertEqual(kept["sform"]["space"], "mni152")
        self.assertEqual(kept["attributes"]["descrip"], "made by a test")

    def test_the_qform_where_there_is_no_sform(self):
        # Half a turn about z, and z downwards: x to the left, y to the back.
        pixdim = (-1.0, 2.0, 2.5, 3.0, 1.0, 0, 0, 0)
        self.save("a.nii", voxels(9, 17, 31), qform=1, turn=(0, 0, 1, 10, 20, 30), pixdim=pixdim)
        told, kept = self.convert("nifti").result["metadata"], self.kept()
        self.assertEqual(told["orientation"], "LPI")
        self.assertEqual((kept["affine_from"], kept["qform"]["space"]), ("qform", "scanner"))
        np.testing.assert_allclose(kept["affine"], [[-2, 0, 0, 10], [0, -2.5, 0, 20], [0, 0, -3, 30]], atol=1e-6)

    def test_sizes_alone_and_micrometres(self):
        self.save("a.nii", voxels(9, 17, 31), units=3)
        told, kept = self.convert("nifti").result["metadata"], self.kept()
        self.assertEqual((told["units"], told["orientation"]), ({"space": "um", "time": None}, "RAS"))
        self.assertEqual((kept["affine_from"], kept["affine"][2]), ("pixdim", [0.0, 0.0, 3.0, 0.0]))
        self.assertNotIn("scale_factor", told)

    def test_sizes_and_units_are_those_of_zarr(self):
        import zarr

        self.save("a.nii", voxels(3, 9, 17, 31), header2)
        self.assert_done(self.convert("nifti", parameters={"output": "zarr"}))
        scales = zarr.open_group(os.path.join(self.output, "data.zarr"), mode="r").attrs["ome"]["multiscales"][0]
        self.assertEqual([axis.get("unit") for axis in scales["axes"]], [None, *["micrometer"] * 3])
        (scale,) = scales["datasets"][0]["coordinateTransformations"]
        self.assertEqual(scale["scale"], [0.7, 3.0, 2.5, 2.0])


class Refusals(NiftiCase):
    def assert_header_refused(self, fault, *words, header=header1, **more):
        self.save("a.nii", voxels(2, 2, 2), header, **more)
        self.assert_refused(self.convert("nifti"), fault, "a.nii", *words)

    def test_nothing_at_all(self):
        self.assert_refused(self.convert("nifti", []), "empty_input")
        self.write("a.nii", b"")
        self.assert_refused(self.convert("nifti"), "empty_input", "a.nii")

    def test_other_kinds_are_named(self):
        self.write("a.nii", b"\x89HDF\r\n\x1a\n" + bytes(600))
        self.assert_refused(self.convert("nifti"), "not_nifti", "HDF5")
        self.write("a.nii", b"this is text\n" * 60)
        self.assert_refused(self.convert("nifti"), "not_nifti", "It is text")
        self.write("a.nii", header1((2, 2), 4, magic=b"ni1\0"))
        self.assert_refused(self.convert("nifti"), "not_nifti", ".img")
        self.write("a.nii", header1((2, 2), 4, magic=bytes(4)))
        self.assert_refused(self.convert("nifti"), "not_nifti", "Analyze")
        os.remove(os.path.join(self.inputs, "a.nii"))
        self.write("a.nii.gz", gzip.compress(b"this is text\n" * 60))
        self.assert_refused(self.convert("nifti"), "not_nifti", "something else")

    def test_no_nifti_names_what_was_there(self):
        self.write("readme.txt", b"hello")
        self.assert_refused(self.convert("nifti"), "not_nifti", "readme.txt")

    def test_cut_files(self):
        for name in ("a.nii", "a.nii.gz"):
            whole = os.path.getsize(self.save(name, voxels(19, 37, 61)))
            for length in (whole - 1, whole - 1000, whole // 2, 200, 4):
                with self.subTest(name=name, length=length):
                    os.truncate(self.save(name, voxels(19, 37, 61)), length)
                    self.assert_refused(self.convert("nifti", [name]), "truncated", name)

    def test_damaged_packing(self):
        path = self.save("a.nii.gz", voxels(19, 37, 61))
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) - 8)
            file.write(b"\xff" * 4)
        self.assert_refused(self.convert("nifti"), "truncated", "a.nii.gz")

    def test_no_voxels(self):
        self.assert_header_refused("empty_input", "31 x 17 x 0", dim=(31, 17, 0))

    def test_headers_that_make_no_sense(self):
        for more in ({"dim": (2, -2, 2)}, {"rank": 0}, {"rank": 9}, {"offset": 100.0}, {"offset": float("nan")}):
            with self.subTest(more):
                self.assert_header_refused("truncated", **more)
        self.assert_header_refused("truncated", header=header2, dim=(1 << 40, 1 << 40, 1 << 40))

    def test_huge_sizes_in_a_tiny_file(self):
        self.assert_header_refused("declared_too_large", dim=(30000, 30000, 30000))
        os.remove(os.path.join(self.inputs, "a.nii"))
        self.save("a.nii.gz", voxels(2, 2, 2), header2, dim=(100_000, 100_000, 1000))
        self.assert_refused(self.convert("nifti"), "declared_too_large", "a.nii.gz")

    def test_other_numbers_of_axes(self):
        self.assert_header_refused("unsupported_shape", "5 axes", dim=(31, 17, 9, 1, 3))
        self.assert_header_refused("unsupported_shape", dim=(31,))

    def test_types_that_a_product_cannot_keep(self):
        for code, words in ((32, "complex64"), (1, "single bits"), (1536, "float128"), (77, "datatype 77")):
            with self.subTest(code):
                self.assert_header_refused("unsupported_type", words, code=code)

    def test_files_that_do_not_belong_together(self):
        values = voxels(9, 17, 31)
        self.save("a1.nii", values, sform=1, srow=SROW)
        moved = (*SROW[:3], 91.0, *SROW[4:])
        for other, more, words in (
            (voxels(9, 17, 30), {}, "number of voxels"), (values.astype("f4"), {}, "float32"),
            (values, {"slope": 2.0}, "slope"), (values, {"units": 3}, "unit"), (values, {"srow": moved}, "places"),
        ):  # fmt: skip
            with self.subTest(words):
                self.save("a2.nii", other, **({"sform": 1, "srow": SROW} | more))
                self.assert_refused(self.convert("nifti"), "slice_mismatch", "a1.nii", "a2.nii", words)


class Memory(NiftiCase):
    def test_a_packed_file_is_never_held_whole(self):
        peaks = []
        for slices in (128, 512):
            self.save("a.nii.gz", voxels(slices, 256, 256, dtype="u2"))
            run = self.convert("nifti", slab_bytes=4 << 20)
            self.assert_done(run)
            peaks.append(run.peak)
        self.assertLess(peaks[1], peaks[0] * 1.15)


if __name__ == "__main__":
    unittest.main()
