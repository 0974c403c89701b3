"""HDF5: ranks, chunks, filters and axes come out equal, and every bad input has its code."""

import json
import os
import unittest
from unittest import mock

import h5py
import hdf5plugin
import numpy as np
from support import ConverterCase

RANDOM = np.random.default_rng(40)


def numbers(*shape, dtype="f4"):
    return (RANDOM.normal(size=shape) * 1000).astype(dtype)


class Hdf5Case(ConverterCase):
    def path(self, name="a.h5"):
        return os.path.join(self.inputs, name)

    def save(self, datasets, name="a.h5"):
        """{path: values, or the arguments of create_dataset}."""
        with h5py.File(self.path(name), "w") as file:
            for path, values in datasets.items():
                file.create_dataset(path, **(values if isinstance(values, dict) else {"data": values}))

    def metadata(self):
        with open(os.path.join(self.output, "metadata.json")) as file:
            return json.load(file)


class Values(Hdf5Case):
    def test_ranks(self):
        for shape, parameters, steps in (
            ((31, 47), {}, 1), ((9, 31, 47), {}, 1), ((9, 31, 47), {"time_first": True}, 9), ((3, 5, 31, 47), {}, 3),
        ):  # fmt: skip
            with self.subTest(shape=shape, parameters=parameters):
                values = numbers(*shape)
                self.save({"v": values})
                self.assert_product(self.convert("hdf5", parameters=parameters), values, timesteps=steps)

    def test_types_and_byte_orders_are_kept(self):
        for dtype in ("i1", "u1", "u2", ">u2", "i4", ">i4", "u8", "i8", "f2", ">f4", "f8"):
            with self.subTest(dtype):
                values = np.abs(numbers(3, 31, 47)).clip(0, 120).astype(dtype)
                self.save({"v": values})
                self.assert_product(self.convert("hdf5"), values)

    def test_compressions_and_chunks(self):
        values = (np.arange(40 * 150 * 170) % 999).astype("u2").reshape(40, 150, 170)
        options = [
            {"compression": "gzip", "shuffle": True, "fletcher32": True}, {"compression": "lzf"},
            *([{"compression": "szip"}] if h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP) else []),
            *({"compression": one} for one in (
                hdf5plugin.Blosc(), hdf5plugin.Blosc2(), hdf5plugin.LZ4(), hdf5plugin.Zstd(), hdf5plugin.BZip2(),
                hdf5plugin.Bitshuffle(),
            )),
        ]  # fmt: skip
        for chunks, option in zip([(40, 50, 50), (7, 33, 170), (1, 150, 170)] * 3, options):
            with self.subTest(option=option, chunks=chunks):
                self.save({"v": {"data": values, "chunks": chunks, **option}})
                self.assert_product(self.convert("hdf5", slab_bytes=1 << 19), values)

    def test_the_largest_dataset_or_the_named_one(self):
        big, small = numbers(6, 31, 47), numbers(6, 8, dtype="f8")
        self.save({"entry/big": big, "entry/small": small, "flat": numbers(99999)})
        run = self.convert("hdf5")
        self.assert_product(run, big)
        self.assertEqual(run.result["metadata"]["dataset"], "/entry/big")
        self.assert_product(self.convert("hdf5", parameters={"dataset": "entry/small"}), small)

    def test_links_inside_the_file_are_followed_and_circles_end(self):
        values = numbers(6, 8)
        self.save({"entry/data": values})
        with h5py.File(self.path(), "a") as file:
            file["entry/again"] = file["entry"]
            file["soft"] = h5py.SoftLink("/entry/again/again/data")
            file["round"] = h5py.SoftLink("/round")
        self.assert_product(self.convert("hdf5", parameters={"dataset": "/soft"}), values)
        self.assert_refused(self.convert("hdf5", parameters={"dataset": "round"}), "no_such_dataset")

    def test_files_follow_one_another_in_time(self):
        values = numbers(3, 9, 31)
        for number in range(3):
            self.save({"v": values[number]}, f"s{9 + number}.h5")
        self.assert_product(self.convert("hdf5"), values, timesteps=3)

    def test_axes_units_and_voxel_size_survive(self):
        self.save({"e/v": numbers(4, 5, 6), "e/z": np.arange(4) * 0.5, "e/y": np.arange(5) * 2.0, "e/x": np.arange(6)})
        with h5py.File(self.path(), "a") as file:
            file["e/v"].attrs.update({"units": "K", "_FillValue": np.float32(-1), "note": "café"})
            for axis, name in enumerate("zyx"):
                file[f"e/{name}"].attrs["units"] = "mm"
                file[f"e/{name}"].make_scale(name)
                file["e/v"].dims[axis].attach_scale(file[f"e/{name}"])
            file.attrs["title"] = "made by a test"
        facts = self.convert("hdf5").result["metadata"]
        self.assertEqual((facts["axes"], facts["units"], facts["voxel_size"]), (["x", "y", "z"], "K", [0.5, 2.0, 1.0]))
        told = self.metadata()
        self.assertEqual(told["dimensions"][0], {
            "name": "z", "size": 4, "units": "mm", "values": [0.0, 0.5, 1.0, 1.5], "spacing": 0.5,
        })  # fmt: skip
        self.assertEqual(told["attributes"]["/"]["title"], "made by a test")
        self.assertEqual(told["attributes"]["/e/v"]["note"], "café")

    def test_sizes_in_micrometres_have_their_unit(self):
        self.save({"v": numbers(4, 5, 6), "z": np.arange(4) * 0.5, "y": np.arange(5) * 3.0})
        with h5py.File(self.path(), "a") as file:
            file["v"].attrs["element_size_um"] = [9.0, 2.0, 0.25]
            for axis, name in enumerate("zy"):
                file[name].make_scale(name)
                file["v"].dims[axis].attach_scale(file[name])
            file["z"].attrs["units"] = "mm"
        facts, told = self.convert("hdf5", ["a.h5"]).result["metadata"], self.metadata()["dimensions"]
        # An axis with a unit of its own keeps its own steps.
        self.assertEqual(facts["voxel_size"], [0.5, 2.0, 0.25])
        self.assertEqual([axis["units"] for axis in told], ["mm", "um", "um"])

    def test_not_a_number_alone_is_kept_and_told(self):
        values = np.full((5, 6, 7), np.nan, "f4")
        values[0] = np.inf
        self.save({"v": values})
        run = self.convert("hdf5")
        self.assert_product(run, values)
        self.assertTrue(run.result["metadata"]["no_finite_value"])
        self.assertIsNone(run.result["min"])

    def test_chunks_that_several_slabs_meet_are_kept_decoded(self):
        import hdf5
        from sluice_convert.report import Reporter

        self.save({"v": {"shape": (128, 512, 512), "dtype": "u2", "chunks": (1, 512, 512), "compression": "lzf"}})

        def kept(source, *_):
            source.read(0, 0, 32, 0, 128)
            return source._dataset.id.get_access_plist().get_chunk_cache()[1]

        with mock.patch("sluice_convert.product.convert", side_effect=kept):
            # The 32 slices that a slab meets, not what HDF5 keeps by itself.
            self.assertEqual(hdf5.main(self.request(["a.h5"]), Reporter(None)), 32 * 512 * 1024)

    def test_memory_does_not_follow_the_size(self):
        peaks = []
        for depth in (64, 256):
            with h5py.File(self.path(), "w") as file:
                made = file.create_dataset("v", (depth, 512, 512), "u2", chunks=(16, 128, 128), compression="lzf")
                for z in range(0, depth, 16):
                    made[z : z + 16] = z
            run = self.convert("hdf5")
            self.assert_done(run)
            peaks.append(run.peak)
        self.assertLess(peaks[1], peaks[0] * 1.2, peaks)


class Refusals(Hdf5Case):
    def test_another_kind_is_named(self):
        for content, words in ((b"text\n", "It is text"), (b"II*\0" + bytes(99), "sensor TIFF"), (b"\0" * 9, "a.h5")):
            with open(self.path(), "wb") as file:
                file.write(content)
            self.assert_refused(self.convert("hdf5"), "not_hdf5", words)
        os.rename(self.path(), self.path("b.bin"))
        self.assert_refused(self.convert("hdf5"), "not_hdf5", "b.bin")
        self.assert_refused(self.convert("hdf5", []), "empty_input")
        open(self.path(), "w").close()
        self.assert_refused(self.convert("hdf5"), "empty_input")

    def test_cut_files(self):
        self.save({"v": {"data": numbers(9, 31, 47), "chunks": (3, 31, 47), "compression": "gzip"}})
        whole = os.path.getsize(self.path())
        for length in (whole - 9, whole // 2, 60):
            with self.subTest(length=length):
                os.truncate(self.path(), length)
                self.assert_refused(self.convert("hdf5"), "truncated", "a.h5")

    def test_damaged_chunks(self):
        self.save({"v": {"data": numbers(9, 31, 47), "chunks": (9, 31, 47), "compression": "gzip"}})
        with h5py.File(self.path()) as file:
            place = file["v"].id.get_chunk_info(0).byte_offset
        with open(self.path(), "r+b") as file:
            file.seek(place)
            file.write(bytes(64))
        self.assert_refused(self.convert("hdf5"), "truncated", "a.h5")

    def test_a_missing_dataset_lists_what_is_there(self):
        self.save({f"d{number}": numbers(3, 4) for number in range(30)})
        run = self.convert("hdf5", parameters={"dataset": "/w"})
        self.assert_refused(run, "no_such_dataset", "/d0 (3 x 4) float32", "and 10 more")
        with h5py.File(self.path(), "a") as file:
            file.create_group("g")
        self.assert_refused(self.convert("hdf5", parameters={"dataset": "g"}), "no_such_dataset", "group")

    def test_what_is_no_picture(self):
        kinds = {
            "text": ({"data": np.array([["a", "b"]], "S4")}, "unsupported_type"),
            "words": ({"data": [["a", "b"]], "dtype": h5py.string_dtype()}, "unsupported_type"),
            "pairs": ({"data": np.zeros((3, 4), [("re", "f4"), ("im", "f4")])}, "unsupported_type"),
            "ragged": ({"shape": (3, 4), "dtype": h5py.vlen_dtype("f4")}, "unsupported_type"),
            "five": ({"data": numbers(2, 2, 2, 2, 2)}, "unsupported_shape"),
            "line": ({"data": numbers(9)}, "unsupported_shape"),
            "one": ({"data": 3.0}, "unsupported_shape"),
            "none": ({"data": h5py.Empty("f4")}, "empty_input"),
            "zero": ({"shape": (0, 4, 5), "dtype": "f4"}, "empty_input"),
        }
        self.save({name: values for name, (values, _) in kinds.items()})
        self.assert_refused(self.convert("hdf5"), "no_numeric_dataset", "/five (2 x 2 x 2 x 2 x 2) float32", "re, im")
        for name, (_, code) in kinds.items():
            with self.subTest(name):
                self.assert_refused(self.convert("hdf5", parameters={"dataset": name}), code, name)

    def test_nothing_outside_the_file_is_read(self):
        values = numbers(8, 9)
        self.save({"v": values}, "secret.h5")
        with open(self.path("secret.raw"), "wb") as file:
            file.write(values.tobytes())
        layout = h5py.VirtualLayout((8, 9), "f4")
        layout[:] = h5py.VirtualSource(self.path("secret.h5"), "v", (8, 9))
        with h5py.File(self.path(), "w") as file:
            file["link"] = h5py.ExternalLink(self.path("secret.h5"), "/v")
            file["soft"] = h5py.SoftLink("/link")
            file.create_virtual_dataset("virtual", layout)
            file.create_dataset("raw", (8, 9), "f4", external=[(self.path("secret.raw"), 0, 288)])
        for name in ("link", "soft", "virtual", "raw"):
            with self.subTest(name):
                run = self.convert("hdf5", ["a.h5"], {"dataset": name})
                self.assert_refused(run, "unsafe_hdf5", name)

    def test_unknown_filters_are_named(self):
        self.save({"v": {"data": numbers(8, 9), "chunks": (8, 9), "compression": hdf5plugin.LZ4()}})
        with open(self.path(), "r+b") as file:
            content = file.read()
            file.seek(content.index((32004).to_bytes(2, "little")))
            file.write((32999).to_bytes(2, "little"))
        self.assert_refused(self.convert("hdf5"), "unsupported_compression", "32999")

    def test_huge_declarations_in_tiny_files(self):
        self.save({"v": {"shape": (1 << 20, 1 << 20, 1 << 20), "dtype": "f8", "chunks": (1, 1024, 1024)}})
        self.assert_refused(self.convert("hdf5"), "declared_too_large")

    def test_files_that_do_not_continue_one_another(self):
        self.save({"v": numbers(8, 9)}, "a.h5")
        for other in (numbers(8, 10), numbers(8, 9, dtype="f8")):
            self.save({"v": other}, "b.h5")
            self.assert_refused(self.convert("hdf5"), "slice_mismatch", "a.h5", "b.h5")


if __name__ == "__main__":
    unittest.main()
