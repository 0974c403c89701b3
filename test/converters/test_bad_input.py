"""Bad input, format by format: the table says which test holds which case, or why there is none; the holes are here.

A new format gets a column in TABLE. A case that another test holds is named there, as `module.Class.test` or as
`file: title`; HERE marks those of this module, and what begins with "-" says why the case cannot be.
"""

import os
import re
import struct
import unittest

import h5py
import hdf5plugin
import imagecodecs
import netCDF4
import numpy as np
import OpenVisus as ov
import tifffile
from support import ConverterCase

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
FORMATS = ("IDX", "TIFF", "RGB", "MAPIR", "NETCDF", "HDF5", "4D_NEXUS", "OTHER", "NIFTI")  # RGB is also TIFF RGB
PROGRAMS = {"IDX": "idx", "TIFF": "tiff", "RGB": "rgb", "MAPIR": "mapir", "NETCDF": "netcdf", "HDF5": "hdf5",
            "4D_NEXUS": "nexus4d", "NIFTI": "nifti"}  # fmt: skip
HERE = "here"
AS_THEY_ARE = "- the files are published as they are, nothing is read"
NO_NAMES = "- it has no parameter that names a dataset"
ONE_INDEX = "- one index describes all slices"
FAULTS = "test/activities/converter-faults.test.ts: "
TWO = "test/activities/convert.test.ts: two conversions of one dataset at once"
VERIFY = "test/e2e/sensors.test.ts: its row says so; a flipped byte is found"

# case: {format: where}; the formats in the order above.
TABLE = {
    "wrong kind": (
        "test_idx.Refusals.test_an_idx_that_is_none", "test_tiff.Refusals.test_text_that_calls_itself_tiff",
        "test_pictures.Refusals.test_other_kinds_and_several_pages", HERE, "test_netcdf.Refusals.test_not_netcdf",
        "test_hdf5.Refusals.test_another_kind_is_named", "test_nexus4d.Refusals.test_other_files", AS_THEY_ARE,
        "test_nifti.Refusals.test_other_kinds_are_named",
    ),
    "a known kind under the name of this one": (*[HERE] * 7, AS_THEY_ARE, HERE),
    "several files of another sensor": (*[HERE] * 7, AS_THEY_ARE, HERE),
    "its own files, without their ending": (
        "test_idx.Copies.test_an_index_without_an_ending", "test_tiff.Layouts.test_files_without_an_ending",
        *["test_pictures.Pictures.test_pictures_without_an_ending"] * 2,
        "test_netcdf.Names.test_files_without_an_ending", HERE, HERE, AS_THEY_ARE,
        "test_nifti.Layouts.test_known_by_content_where_the_name_says_nothing",
    ),
    "cut file": (
        "test_idx.Refusals.test_a_cut_block_file", "test_tiff.Refusals.test_cut_files",
        "test_pictures.Refusals.test_cut_pictures", HERE,
        "test_netcdf.Refusals.test_cut_files_are_never_filled_with_zeros", "test_hdf5.Refusals.test_cut_files", HERE,
        AS_THEY_ARE,
        "test_nifti.Refusals.test_cut_files",
    ),
    "zero slices": (
        HERE, HERE, HERE, HERE, "test_netcdf.Refusals.test_no_entries_yet",
        "test_hdf5.Refusals.test_what_is_no_picture", HERE, "test/e2e/ingest.test.ts: an empty file is refused at once",
        "test_nifti.Refusals.test_no_voxels",
    ),
    "NaN and Inf only": (
        HERE, "test_tiff.Types.test_no_finite_value_is_said", HERE, HERE, HERE,
        "test_hdf5.Values.test_not_a_number_alone_is_kept_and_told", HERE, AS_THEY_ARE,
        "test_nifti.Layouts.test_nothing_finite_is_said",
    ),
    "slices of unequal shape or type": (
        ONE_INDEX, "test_tiff.Refusals.test_slices_of_two_types", "test_pictures.Refusals.test_pictures_that_differ",
        HERE, HERE, "test_hdf5.Refusals.test_files_that_do_not_continue_one_another",
        "test_nexus4d.Refusals.test_volumes_that_differ_and_lists_that_do_not_match", AS_THEY_ARE,
        "test_nifti.Refusals.test_files_that_do_not_belong_together",
    ),
    "unknown compression": (
        HERE, HERE, HERE, HERE, HERE, "test_hdf5.Refusals.test_unknown_filters_are_named", HERE, AS_THEY_ARE,
        "- gzip is the only one that it may have",
    ),
    "five axes": (
        HERE, "test_tiff_axes.Orders.test_more_axes_than_are_told_apart_are_z_and_said",
        "test_pictures.Refusals.test_other_kinds_and_several_pages", HERE, HERE,
        "test_hdf5.Refusals.test_what_is_no_picture", HERE, AS_THEY_ARE,
        "test_nifti.Refusals.test_other_numbers_of_axes",
    ),
    "text instead of numbers": (
        HERE, "test_tiff.Refusals.test_types_that_openvisus_cannot_keep", "- pixels are numbers",
        "- pixels are numbers", "test_netcdf.Refusals.test_no_numeric_variable",
        "test_hdf5.Refusals.test_what_is_no_picture", HERE, AS_THEY_ARE,
        "- its types are numbers",
    ),
    "a missing dataset lists what is there": (
        NO_NAMES, NO_NAMES, NO_NAMES, "test_pictures.Mapir.test_targets_and_panels_that_do_not_fit",
        "test_netcdf.Refusals.test_no_such_variable_lists_what_is_there",
        "test_hdf5.Refusals.test_a_missing_dataset_lists_what_is_there",
        "test_nexus4d.Refusals.test_what_is_not_there_or_no_numbers", AS_THEY_ARE,
        NO_NAMES,
    ),
    "coordinates of another length": (
        *["- only scans have coordinates as parameters"] * 6, "test_nexus4d.Refusals.test_coordinates_of_another_length",
        AS_THEY_ARE,
        "- only scans have coordinates as parameters",
    ),
    "huge declared size, tiny file": (
        HERE, HERE, "test_pictures.Refusals.test_huge_declarations_in_tiny_files", HERE, HERE,
        "test_hdf5.Refusals.test_huge_declarations_in_tiny_files", HERE, AS_THEY_ARE,
        "test_nifti.Refusals.test_huge_sizes_in_a_tiny_file",
    ),
    "ended by the memory limit": (
        *[FAULTS + "more memory than allowed is program_memory"] * 7, AS_THEY_ARE,
        FAULTS + "more memory than allowed is program_memory",
    ),
    "a converter that hangs": (
        *[FAULTS + "a converter that hangs is program_stalled"] * 7, AS_THEY_ARE,
        FAULTS + "a converter that hangs is program_stalled",
    ),
    "disk full": (
        *[FAULTS + "a disk that becomes full is disk_full"] * 7,
        "test/e2e/outages.test.ts: disk full: receiving and converting say so",
        FAULTS + "a disk that becomes full is disk_full",
    ),
    "two conversions at once": (
        *[TWO] * 7, "- the second one links the same files again",
        TWO,
    ),
    "product changed after publishing": (
        *[VERIFY] * 7, "test/e2e/verify.test.ts: a product of files as they are",
        VERIFY,
    ),
}  # fmt: skip


def write(to, name, content):
    with open(os.path.join(to, name), "wb") as file:
        file.write(content)


def tiff(to, values, name="a.tif", **options):
    photometric = "rgb" if values.shape[-1] == 3 else "minisblack"
    tifffile.imwrite(os.path.join(to, name), values, **({"photometric": photometric} | options))


def tagged(to, tags, values=None, **options):
    """A TIFF whose tags {number: value} were changed afterwards."""
    tiff(to, np.zeros((9, 11, 3), "u1") if values is None else values, **options)
    path = os.path.join(to, "a.tif")
    with tifffile.TiffFile(path, mode="r+b") as file:
        for number, value in tags.items():
            file.pages[0].tags[number].overwrite(value)


def netcdf(to, values, name="a.nc", axes=("z", "y", "x"), **options):
    with netCDF4.Dataset(os.path.join(to, name), "w") as file:
        for axis, size in zip(axes, values.shape):
            file.createDimension(axis, size)
        file.createVariable("v", values.dtype, tuple(axes), **options)[:] = values


def huge_netcdf(to):
    with netCDF4.Dataset(os.path.join(to, "a.nc"), "w") as file:
        for axis in "zyx":
            file.createDimension(axis, 1 << 20)
        file.createVariable("v", "f8", tuple("zyx"), chunksizes=(1, 1024, 1024))


def hdf5(to, name="a.h5", **made):
    with h5py.File(os.path.join(to, name), "w") as file:
        made = file.create_dataset("v", **made)
        for axis in range(made.ndim):
            scale = file.create_dataset(f"axis{axis}", data=np.arange(made.shape[axis]) if made.shape[axis] < 99 else [0])
            if made.shape[axis] < 99:
                scale.make_scale(f"axis{axis}")
                made.dims[axis].attach_scale(scale)


def unknown_filter(to, name, shape=(8, 9)):
    hdf5(to, name, data=np.zeros(shape, "f4"), chunks=shape, compression=hdf5plugin.LZ4())
    path = os.path.join(to, name)
    with open(path, "r+b") as file:
        file.seek(file.read().index((32004).to_bytes(2, "little")))
        file.write((32999).to_bytes(2, "little"))


def cut(to, name, share=0.5):
    path = os.path.join(to, name)
    os.truncate(path, int(os.path.getsize(path) * share))


def index(to, dims=(40, 30, 20), values=None, dtype="uint16", **options):
    dataset = ov.CreateIdx(
        url=os.path.join(to, "visus.idx"), dims=list(dims), fields=[ov.Field("v", dtype)], blocksperfile=4, **options
    )
    if values is not None:
        dataset.write(values)


def edited(to, old, new):
    path = os.path.join(to, "visus.idx")
    with open(path) as file:
        text = file.read()
    changed = re.sub(old, new, text)
    assert changed != text, text
    with open(path, "w") as file:
        file.write(changed)


def unknown_codec(to):
    """An OpenVisus dataset whose blocks say that they are packed by a codec that nobody has."""
    index(to, values=np.zeros((20, 30, 40), "u2"))
    for parent, _, names in os.walk(to):
        for name in names:
            if name.endswith(".bin"):
                with open(os.path.join(parent, name), "r+b") as file:
                    for block in range(4):
                        file.seek(40 * (1 + block) + 20)
                        flags = struct.unpack(">I", file.read(4))[0]
                        file.seek(40 * (1 + block) + 20)
                        file.write(struct.pack(">I", flags | 0x0E))


NAN = np.full((6, 9, 11), np.nan, "f4")
NAN[1] = np.inf
PHOTO = np.arange(9 * 11 * 3, dtype="u1").reshape(9, 11, 3)

# What the files of another sensor are refused with, and files that only have the name of this one.
NONE_OF = {"IDX": "no_idx", "TIFF": "no_tiff", "RGB": "no_picture", "MAPIR": "no_picture", "NETCDF": "not_netcdf",
           "HDF5": "not_hdf5", "4D_NEXUS": "not_hdf5", "NIFTI": "not_nifti"}  # fmt: skip


NAMED = {"IDX": ("visus.idx", "no_idx"), "TIFF": ("a.tif", "not_tiff"), "RGB": ("a.png", "not_picture"),
         "MAPIR": ("a.jpg", "not_picture"), "NETCDF": ("a.nc", "not_netcdf"), "HDF5": ("a.h5", "not_hdf5"),
         "4D_NEXUS": ("a.nxs", "not_hdf5"), "NIFTI": ("a.nii", "not_nifti")}  # fmt: skip


def others_of(form):
    """(first bytes, words that name them and their sensor)."""
    if form in ("HDF5", "4D_NEXUS", "NETCDF"):
        return b"MM\0*" + bytes(99), "is TIFF: did you mean the sensor TIFF"
    return b"\x89HDF\r\n\x1a\n" + bytes(99), "is HDF5: did you mean the sensor HDF5"


def several(to, content):
    for name, text in (("a.txt", b"notes"), ("b.dat", content), ("c.dat", content)):
        write(to, name, text)


# (case, format, what makes the files, parameters, code, words of the refusal)
REFUSED = (
    *(("several files of another sensor", form, lambda to, form=form: several(to, others_of(form)[0]), {}, code,
       f"b.dat {others_of(form)[1]}") for form, code in NONE_OF.items()),
    *(("a known kind under the name of this one", form,
       lambda to, form=form, name=name: write(to, name, others_of(form)[0]), {}, code, f"It {others_of(form)[1]}")
      for form, (name, code) in NAMED.items()),
    ("wrong kind", "MAPIR", lambda to: write(to, "a.jpg", b"\x89HDF\r\n\x1a\n" + bytes(99)), {}, "not_picture", "HDF5"),
    ("cut file", "MAPIR", lambda to: (tiff(to, PHOTO, compression="zlib"), cut(to, "a.tif")), {}, "truncated", "a.tif"),
    ("cut file", "4D_NEXUS", lambda to: (hdf5(to, data=np.ones((9, 8, 7, 6))), cut(to, "a.h5", 0.8)), {}, "truncated",
     "a.h5"),
    ("zero slices", "IDX", lambda to: (index(to), edited(to, r"0 39 0 29 0 19", "0 39 0 29 0 -1")), {},
     "empty_input", "visus.idx"),
    ("zero slices", "TIFF", lambda to: write(to, "a.tif", b"II*\0" + bytes(4)), {}, "truncated", "a.tif"),
    ("zero slices", "RGB", lambda to: write(to, "a.tif", b"II*\0" + bytes(4)), {}, "truncated", "a.tif"),
    ("zero slices", "RGB", lambda to: write(to, "a.png", no_rows()), {}, "truncated", "a.png"),
    ("zero slices", "MAPIR", lambda to: write(to, "a.png", no_rows()), {}, "truncated", "a.png"),
    ("zero slices", "4D_NEXUS", lambda to: hdf5(to, shape=(0, 4, 5, 6), dtype="f4"), {"volume": ["/v"]}, "empty_input",
     "/v"),
    ("slices of unequal shape or type", "MAPIR", lambda to: (tiff(to, PHOTO), tiff(to, PHOTO[:8], "b.tif")), {},
     "slice_mismatch", "b.tif"),
    ("slices of unequal shape or type", "NETCDF", lambda to: (netcdf(to, NAN), netcdf(to, NAN[:, :8], "b.nc")), {},
     "slice_mismatch", "shape"),
    ("slices of unequal shape or type", "NETCDF",
     lambda to: (netcdf(to, NAN), netcdf(to, NAN.astype("f8"), "b.nc")), {}, "slice_mismatch", "type"),
    ("unknown compression", "IDX", unknown_codec, {}, "unsupported_compression", "codec 14"),
    ("unknown compression", "TIFF", lambda to: tagged(to, {259: 31999}), {}, "unsupported_compression", "31999"),
    ("unknown compression", "RGB", lambda to: tagged(to, {259: 31999}), {}, "unsupported_compression", "31999"),
    ("unknown compression", "MAPIR", lambda to: tagged(to, {259: 31999}), {}, "unsupported_compression", "31999"),
    ("unknown compression", "NETCDF", lambda to: unknown_filter(to, "a.nc"), {}, "unsupported_compression", "32999"),
    ("unknown compression", "4D_NEXUS", lambda to: unknown_filter(to, "a.h5", (3, 4, 5, 6)), {},
     "unsupported_compression", "32999"),
    ("five axes", "IDX", lambda to: index(to, (4, 4, 4, 4, 4)), {}, "unsupported_shape", "5 dimensions"),
    ("five axes", "MAPIR", lambda to: tiff(to, np.zeros((2, 9, 11, 3), "u1")), {}, "unsupported_shape", "2 pages"),
    ("five axes", "NETCDF", lambda to: netcdf(to, np.zeros((2, 3, 4, 5, 6)), axes="abcde"), {"variable": "v"},
     "unsupported_shape", "v"),
    ("five axes", "4D_NEXUS", lambda to: hdf5(to, data=np.zeros((2, 3, 4, 5, 6))), {"volume": ["/v"]},
     "unsupported_shape", "/v"),
    ("text instead of numbers", "IDX", lambda to: (index(to), edited(to, "uint16", "string")), {},
     "unsupported_type", "visus.idx"),
    ("text instead of numbers", "4D_NEXUS", lambda to: hdf5(to, data=np.full((2, 3, 4, 5), b"word")),
     {"volume": ["/v"]}, "unsupported_type", "/v"),
    ("huge declared size, tiny file", "IDX", lambda to: index(to, (1 << 20, 1 << 20, 1 << 10)), {}, "missing_blocks",
     "no such file"),
    ("huge declared size, tiny file", "TIFF",
     lambda to: tagged(to, {256: 200_000, 257: 200_000, 278: 200_000}, compression="zlib"), {}, "declared_too_large",
     "declare"),
    ("huge declared size, tiny file", "MAPIR", lambda to: write(to, "a.png", no_rows(200_000)), {}, "unsupported_shape",
     "200000 x 200000"),
    ("huge declared size, tiny file", "NETCDF", huge_netcdf, {}, "declared_too_large", "declare"),
    ("huge declared size, tiny file", "4D_NEXUS",
     lambda to: hdf5(to, shape=(1 << 10, 1 << 10, 1 << 10, 1 << 10), dtype="f8", chunks=(1, 1, 1024, 1024)), {},
     "declared_too_large", "declare"),
)  # fmt: skip

# (case, format, what makes the files, what the product reads as)
KEPT = (
    ("NaN and Inf only", "IDX", lambda to: index(to, (11, 9, 6), NAN, "float32"), NAN),
    ("NaN and Inf only", "RGB", lambda to: tiff(to, NAN[1]), NAN[1]),
    ("NaN and Inf only", "MAPIR", lambda to: tiff(to, np.full((9, 11, 3), np.nan, "f4")), NAN[0]),
    ("NaN and Inf only", "NETCDF", lambda to: netcdf(to, NAN), NAN),
    ("NaN and Inf only", "4D_NEXUS", lambda to: hdf5(to, data=NAN), NAN),
    ("its own files, without their ending", "HDF5", lambda to: hdf5(to, "scan", data=NAN), NAN),
    ("its own files, without their ending", "4D_NEXUS", lambda to: hdf5(to, "scan", data=NAN), NAN),
)


def no_rows(side=0):
    content = imagecodecs.png_encode(PHOTO)
    return content[:16] + struct.pack(">II", side, side) + content[24:]


class Table(unittest.TestCase):
    def test_every_case_of_every_format_has_its_test_or_a_reason(self):
        here = {(case, form) for case, form, *_ in REFUSED + KEPT}
        for case, row in TABLE.items():
            self.assertEqual(len(row), len(FORMATS), case)
            for form, where in zip(FORMATS, row):
                with self.subTest(case=case, format=form):
                    self.assertEqual((case, form) in here, where == HERE)
                    if where != HERE and not where.startswith("- "):
                        self.assert_there(where)

    def test_every_sensor_has_its_column(self):
        with open(os.path.join(ROOT, "src/domain/sensor.ts"), encoding="utf-8") as file:
            lists = re.findall(r"_?SENSORS = \[(.*?)\]", file.read(), re.DOTALL)
        known = {name for one in lists for name in re.findall(r"'([^']+)'", one)}
        self.assertEqual(known, {*FORMATS, "TIFF RGB"})
        self.assertEqual({*PROGRAMS}, {*FORMATS} - {"OTHER"})

    def assert_there(self, where):
        """`module.Class.test` or `file: title`; read, not imported."""
        if ": " in where:
            path, words = where.split(": ", 1)
        else:
            module, _, name = where.split(".")
            path, words = f"test/converters/{module}.py", f"def {name}("
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            self.assertTrue(words in file.read(), f"{path} holds no {words}")


class BadInput(ConverterCase):
    def test_what_is_refused(self):
        for case, form, make, parameters, code, words in REFUSED:
            with self.subTest(case=case, format=form, code=code):
                self.empty()
                make(self.inputs)
                self.assert_refused(self.convert(PROGRAMS[form], parameters=parameters), code, words)

    def test_what_is_kept_though_it_has_no_range(self):
        for case, form, make, expected in KEPT:
            with self.subTest(case=case, format=form):
                self.empty()
                make(self.inputs)
                run = self.convert(PROGRAMS[form])
                self.assert_done(run)
                self.assertIsNone(run.result["min"])
                read = ov.LoadDataset(os.path.join(self.output, "visus.idx")).read()
                np.testing.assert_array_equal(read, expected)
                proof = self.prove()
                self.assert_done(proof)
                self.assertTrue(proof.result["complete"])

    def empty(self):
        for name in self.all_names():
            os.remove(os.path.join(self.inputs, name))


if __name__ == "__main__":
    unittest.main()
