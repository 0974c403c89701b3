"""Coordinates, attributes and other data beside the voxels: they survive, lead nowhere, and damage in them is told."""

import errno
import json
import os
import unittest

import h5py
import hdf5plugin
import netCDF4
import numpy as np
from test_hdf5 import Hdf5Case, numbers


def scale(file, dataset, axis, made):
    """Makes `made` the dimension scale of an axis."""
    made.make_scale(made.name.strip("/"))
    file[dataset].dims[axis].attach_scale(made)


class Outside(Hdf5Case):
    """What a file names as coordinates is read as carefully as what it names as data."""

    def elsewhere(self, file, kind, size, path="out"):
        """A dataset of `size` numbers that lie in another file of this machine."""
        with h5py.File(self.place("secret.h5"), "w") as other:
            other["s"] = np.full(size, 7.0)
        if kind == "virtual":
            layout = h5py.VirtualLayout((size,), "f8")
            layout[:] = h5py.VirtualSource(self.place("secret.h5"), "s", (size,))
            return file.create_virtual_dataset(path, layout)
        with open(self.place("secret.raw"), "wb") as other:
            other.write(np.full(size, 7.0).tobytes())
        return file.create_dataset(path, (size,), "f8", external=[(self.place("secret.raw"), 0, 8 * size)])

    def test_axes_whose_values_lie_elsewhere(self):
        for kind in ("virtual", "external"):
            for size in (8, 6000):  # all values are told, or few of them
                for place in ("scale", "axes"):
                    with self.subTest(kind=kind, place=place, size=size), h5py.File(self.path(), "w") as file:
                        file["v"] = np.zeros((size, 9), "u1")
                        made = self.elsewhere(file, kind, size)
                        if place == "scale":
                            scale(file, "v", 0, made)
                        else:
                            file["v"].attrs["axes"] = "out:."
                        file.close()
                        self.assert_refused(self.convert("hdf5", ["a.h5"]), "unsafe_hdf5", "/out")

    def test_axes_that_lead_to_another_file(self):
        with h5py.File(self.place("secret.h5"), "w") as other:
            other["s"] = np.arange(8.0)
        self.save({"e/v": numbers(8, 9)})
        with h5py.File(self.path(), "a") as file:
            file["e/out"] = h5py.ExternalLink(self.place("secret.h5"), "/s")
            file["e/soft"] = h5py.SoftLink("/e/out")
            file["e"].attrs.update({"signal": "v", "axes": ["soft", "."]})
        self.assert_refused(self.convert("hdf5"), "unsafe_hdf5", "soft")

    def test_coordinates_and_beams_of_scans(self):
        for kind in ("virtual", "external"):
            for place in ("Xs", "Ys", "presample", "postsample", "scale", "volume"):
                with self.subTest(kind=kind, place=place), h5py.File(self.path(), "w") as file:
                    file["v"] = np.zeros((5, 5, 6, 7), "u1")
                    file["fine"] = np.ones(5)
                    made = self.elsewhere(file, kind, 5)
                    if place == "scale":
                        scale(file, "v", 1, made)
                    file.close()
                    named = {"volume": "/v", "presample": "/fine", "postsample": "/fine", place: "/out"}
                    named.pop("scale", None)
                    run = self.convert("nexus4d", ["a.h5"], {key: [path] for key, path in named.items()})
                    code = "unsupported_shape" if place == "volume" else "unsafe_hdf5"  # it has one axis
                    self.assert_refused(run, code, "/out")

    def test_references_in_attributes_are_not_followed(self):
        self.save({"v": numbers(8, 9)})
        with h5py.File(self.path(), "a") as file:
            made = self.elsewhere(file, "external", 5)
            file["v"].attrs.create("object", made.ref, dtype=h5py.ref_dtype)
            file["v"].attrs.create("region", made.regionref[:2], dtype=h5py.regionref_dtype)
        self.assert_done(self.convert("hdf5", ["a.h5"]))
        self.assertTrue(self.metadata()["attributes"]["/v"]["object"].startswith("<HDF5 object reference"))


class Damaged(Hdf5Case):
    """Damage beside the voxels is the file's fault, so that nobody tries again."""

    def flip(self, dataset, name="a.h5"):
        """Spoil the first chunk of a dataset."""
        with h5py.File(self.path(name)) as file:
            place = file[dataset].id.get_chunk_info(0).byte_offset
        with open(self.path(name), "r+b") as file:
            file.seek(place + 4)
            file.write(b"\xff" * 8)

    def test_axes_of_hdf5(self):
        self.save({"v": numbers(8, 9), "lat": {"data": np.arange(8.0), "chunks": (8,), "compression": "gzip"}})
        with h5py.File(self.path(), "a") as file:
            scale(file, "v", 0, file["lat"])
        self.flip("lat")
        self.assert_refused(self.convert("hdf5"), "truncated", "a.h5")

    def test_coordinates_and_beams_of_scans(self):
        packed = {"data": np.arange(5.0), "chunks": (5,), "compression": "gzip"}
        self.save({"v": numbers(5, 5, 6, 7), "bad": packed, "fine": np.ones(5)})
        self.flip("bad")
        for place in ("Xs", "Ys", "presample", "postsample"):
            with self.subTest(place):
                named = {"volume": ["/v"], "presample": ["/fine"], "postsample": ["/fine"], place: ["/bad"]}
                self.assert_refused(self.convert("nexus4d", parameters=named), "truncated", "a.h5")

    def test_axes_of_netcdf(self):
        with netCDF4.Dataset(self.path("a.nc"), "w") as file:
            file.createDimension("lat", 8)
            file.createDimension("lon", 9)
            file.createVariable("lat", "f8", ("lat",), zlib=True)[:] = np.arange(8)
            file.createVariable("v", "f4", ("lat", "lon"))[:] = numbers(8, 9)
        self.flip("lat", "a.nc")
        self.assert_refused(self.convert("netcdf"), "truncated", "a.nc")

    def test_an_axis_with_an_unknown_filter(self):
        packed = {"data": np.arange(8.0), "chunks": (8,), "compression": hdf5plugin.LZ4()}
        self.save({"v": numbers(8, 9), "lat": packed})
        with h5py.File(self.path(), "a") as file:
            scale(file, "v", 0, file["lat"])
        with open(self.path(), "r+b") as file:
            file.seek(file.read().index((32004).to_bytes(2, "little")))
            file.write((32999).to_bytes(2, "little"))
        self.assert_refused(self.convert("hdf5"), "unsupported_compression", "/lat", "32999")

    def test_types_that_numpy_has_not_are_no_damage(self):
        values = numbers(8, 9)
        self.save({"v": values})
        with h5py.File(self.path(), "a") as file:
            for name in (b"a", b"z"):
                h5py.h5d.create(file.id, name, h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((8, 9)))
            file["v"].attrs["axes"] = "line:."
            h5py.h5d.create(file.id, b"line", h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((8,)))
        self.assert_product(self.convert("hdf5"), values)
        self.assert_refused(self.convert("hdf5", parameters={"dataset": "/a"}), "unsupported_type", "/a (8 x 9)")
        self.assert_refused(self.convert("hdf5", parameters={"dataset": "/q"}), "no_such_dataset", "/a (8 x 9)")

    def test_what_the_machine_says_is_no_damage(self):
        from sluice_convert.report import Fault, reading

        for number, kind in ((errno.EMFILE, OSError), (errno.ENOSPC, OSError), (None, Fault), (errno.EIO, Fault)):
            with self.subTest(number=number), self.assertRaises(kind), reading("a.h5"):
                raise OSError(number, "said so") if number else OSError("inflate() failed")

    def test_objects_that_cannot_be_opened(self):
        self.save({f"e/v{number}": numbers(8, 9) for number in range(9)})
        with h5py.File(self.path()) as file:
            places = [h5py.h5o.get_info(file[path].id).addr for path in ("e", "e/v3")]
        for place in places:
            with self.subTest(place=place):
                self.save({f"e/v{number}": numbers(8, 9) for number in range(9)})
                with open(self.path(), "r+b") as file:
                    file.seek(place)
                    file.write(b"\xff" * 16)
                self.assert_refused(self.convert("hdf5"), "truncated", "a.h5")


class Told(Hdf5Case):
    def test_long_axes(self):
        self.save({"v": np.zeros((2, 5000), "u1"), "x": np.arange(5000) * 0.5, "y": np.arange(2)})
        with h5py.File(self.path(), "a") as file:
            for axis, name in enumerate("yx"):
                scale(file, "v", axis, file[name])
        run = self.convert("hdf5")
        self.assertEqual(self.metadata()["dimensions"][1], {
            "name": "x", "size": 5000, "first": 0, "last": 2499.5, "spacing": 0.5, "values_left_out": 5000,
            "values_in": "coordinates.json",
        })  # fmt: skip
        self.assertEqual(run.result["metadata"]["voxel_size"], [1, 0.5])
        with open(os.path.join(self.output, "coordinates.json")) as file:
            self.assertEqual(json.load(file), {"x": (np.arange(5000) * 0.5).tolist()})

    def test_very_long_axes_are_told_by_their_ends(self):
        size = (1 << 20) + 1
        self.save({"v": np.zeros((2, size), "u1"), "x": np.arange(size)})
        with h5py.File(self.path(), "a") as file:
            scale(file, "v", 1, file["x"])
        self.assert_done(self.convert("hdf5"))
        self.assertEqual(self.metadata()["dimensions"][1], {
            "name": "x", "size": size, "first": 0, "last": size - 1, "values_left_out": size,
        })  # fmt: skip
        self.assertFalse(os.path.exists(os.path.join(self.output, "coordinates.json")))

    def test_long_attributes_say_what_is_left_out(self):
        self.save({"v": numbers(8, 9)})
        with h5py.File(self.path(), "a") as file:
            file["v"].attrs.update({"many": np.arange(100), "few": [1, 2], "text": "é" * 5000, "words": ["a"] * 70})
            file["v"].attrs.create("odd", b"caf\xe9", dtype=h5py.string_dtype())  # no UTF-8, whatever it says
        self.assert_done(self.convert("hdf5"))
        told = self.metadata()["attributes"]["/v"]
        self.assertEqual(told["many"], {"values": list(range(64)), "values_left_out": 36})
        self.assertEqual(told["words"], {"values": ["a"] * 64, "values_left_out": 6})
        self.assertEqual((told["few"], told["odd"]), ([1, 2], "caf?"))
        self.assertEqual(told["text"], {"text": "é" * 4096, "characters_left_out": 904})

    def test_attributes_of_very_many_objects(self):
        with h5py.File(self.path(), "w") as file:
            file["v"] = numbers(8, 9)
            for number in range(2001):
                file.create_group(f"g{number}").attrs["n"] = number
        self.assert_done(self.convert("hdf5"))
        told = self.metadata()
        self.assertEqual((len(told["attributes"]), told["objects_left_out"]), (2000, 1))

    def test_a_fill_value_that_the_type_cannot_hold_is_none(self):
        values = np.array([[0, 241, 3], [4, 5, 6]], "u1")
        for stored, highest in ((-9999, 241), (np.float64("nan"), 241), (241.0, 6), ([-9999, 241], 6)):
            with self.subTest(stored=stored):
                self.save({"v": values})
                with h5py.File(self.path(), "a") as file:
                    file["v"].attrs["missing_value"] = stored
                self.assertEqual(self.convert("hdf5", ["a.h5"]).result["max"], highest)
                with netCDF4.Dataset(self.path("a.nc"), "w") as file:
                    file.createDimension("y", 2)
                    file.createDimension("x", 3)
                    made = file.createVariable("v", "u1", ("y", "x"))
                    made[:] = values
                    made.setncattr("missing_value", stored)
                self.assertEqual(self.convert("netcdf", ["a.nc"]).result["max"], highest)
        self.save({"v": np.array([[1, 1e20], [2, 3]], "f4")})
        with h5py.File(self.path(), "a") as file:
            file["v"].attrs["missing_value"] = 1e20  # as a double: rounded, it is what the data hold
        self.assertEqual(self.convert("hdf5", ["a.h5"]).result["max"], 3)


class SingleSlices(Hdf5Case):
    def axes_of_zarr(self):
        with open(os.path.join(self.output, "data.zarr", "zarr.json")) as file:
            return [axis["name"] for axis in json.load(file)["attributes"]["ome"]["multiscales"][0]["axes"]]

    def test_hdf5(self):
        for shape, parameters, steps in (
            ((1, 31, 47), {}, 1), ((3, 1, 31, 47), {}, 3), ((1, 1, 31, 47), {}, 1), ((1, 9, 31, 47), {}, 1),
            ((1, 31, 47), {"time_first": True}, 1), ((2, 1, 1100, 1100), {}, 2),
        ):  # fmt: skip
            with self.subTest(shape=shape, parameters=parameters):
                values = numbers(*shape)
                self.save({"v": {"data": values, "chunks": shape, "compression": "lzf"}})
                run = self.convert("hdf5", parameters=parameters, slab_bytes=1 << 19)
                self.assert_product(run, np.squeeze(values), timesteps=steps)

    def test_what_is_told_of_them(self):
        self.save({"v": numbers(3, 1, 5, 6), "t": np.arange(3) * 2.0, "z": [7.0], "y": np.arange(5), "x": np.arange(6)})
        with h5py.File(self.path(), "a") as file:
            for axis, name in enumerate("tzyx"):
                scale(file, "v", axis, file[name])
        run = self.convert("hdf5", parameters={"output": "both"})
        self.assert_done(run)
        facts, told = run.result["metadata"], self.metadata()["dimensions"]
        self.assertEqual((facts["axes"], facts["voxel_size"]), (["x", "y", "t"], [2, 1, 1]))
        self.assertEqual(told[1], {"name": "z", "size": 1, "values": [7], "squeezed": True})
        self.assertEqual(self.axes_of_zarr(), ["t", "y", "x"])

    def test_scans(self):
        values = numbers(3, 1, 31, 47)
        self.save({"v": values, "y": [4.0], "x": np.arange(3.0)})
        run = self.convert("nexus4d", parameters={"Ys": ["/y"], "Xs": ["/x"]})
        self.assert_product(run, values[:, 0], timesteps=3)
        self.assertEqual(run.result["metadata"]["axes"], ["u", "z", "x"])
        self.save({"v": numbers(1, 31, 47)})
        self.assertEqual(self.convert("nexus4d").result["dims"], [47, 31])

    def test_netcdf(self):
        with netCDF4.Dataset(self.path("a.nc"), "w") as file:
            for axis, size in (("time", 3), ("level", 1), ("lat", 5), ("lon", 6)):
                file.createDimension(axis, size)
                file.createVariable(axis, "f4", (axis,))[:] = np.arange(size)
            file.createVariable("v", "f4", ("time", "level", "lat", "lon"))[:] = numbers(3, 1, 5, 6)
        run = self.convert("netcdf", parameters={"output": "both"})
        self.assertEqual(run.result["metadata"]["axes"], ["lon", "lat", "time"])
        self.assertTrue(self.metadata()["dimensions"]["level"]["squeezed"])
        self.assertEqual(self.axes_of_zarr(), ["time", "lat", "lon"])


if __name__ == "__main__":
    unittest.main()
