"""Files that follow one another in time: what all of them say of their times survives, and other grids are refused."""

import json
import os
import unittest

import h5py
import netCDF4
import numpy as np
from support import ConverterCase

DAYS = "days since 2000-01-01"


class SeriesCase(ConverterCase):
    def netcdf(self, name, times, lat=(10, 20, 30), units=DAYS, axes=("time", "lat", "lon"), **facts):
        """A file with a step of 3 x 4 voxels for each time; `times` of one number is a variable without axis."""
        shape = {"time": np.size(times), "lat": len(lat), "lon": 4, "level": 1}
        with netCDF4.Dataset(os.path.join(self.inputs, name), "w") as file:
            for axis in axes:
                file.createDimension(axis, shape[axis])
            stored = file.createVariable("time", np.asarray(times).dtype, ("time",) if np.ndim(times) else ())
            stored[...], stored.units = times, units
            stored = file.createVariable("lat", "f8", ("lat",))
            stored[:], stored.units = lat, facts.pop("lat_units", "degrees_north")
            if "level" in axes:
                file.createVariable("level", "f4", ("level",))[:] = facts.pop("level")
            made = file.createVariable("v", "f4", axes if np.ndim(times) else axes[1:])
            made[:] = np.arange(12).reshape(3, 4)
            made.setncatts(facts)
            file.history = f"made as {name}"

    def hdf5(self, name, times, y=(0.0, 0.5, 1.0), **facts):
        """The same as HDF5, with dimension scales."""
        with h5py.File(os.path.join(self.inputs, name), "w") as file:
            made = file.create_dataset("e/v", data=np.zeros((len(times), 3, 4), "f4"))
            made.attrs.update(facts)
            file.attrs["made"] = name
            for axis, (label, values) in enumerate((("t", times), ("y", y))):
                scale = file.create_dataset(f"e/{label}", data=values)
                scale.attrs["units"] = "s" if label == "t" else "mm"
                scale.make_scale(label)
                made.dims[axis].attach_scale(scale)

    def told(self, program, parameters=None, steps=None):
        run = self.convert(program, parameters=parameters)
        self.assert_done(run)
        if steps:
            self.assertEqual(run.result["timesteps"], steps)
        return self.read("metadata.json")

    def read(self, name):
        with open(os.path.join(self.output, name), encoding="utf-8") as file:
            return json.load(file)


class Times(SeriesCase):
    def test_netcdf(self):
        self.netcdf("a9.nc", [0.0, 1.0])
        self.netcdf("a10.nc", [2.0, 3.0, 7.5])
        told = self.told("netcdf", steps=5)
        time = told["dimensions"]["time"]
        self.assertEqual((time["size"], time["values"]), (5, [0, 1, 2, 3, 7.5]))
        self.assertEqual(time["attributes"]["units"], DAYS)
        self.assertEqual(told["shape"], [5, 3, 4])
        self.assertEqual(told["dimensions"]["lat"]["values"], [10, 20, 30])
        self.assertEqual(told["attributes_of_files"], [
            {"file": "a10.nc", "attributes": {"/": {"history": "made as a10.nc"}}},
        ])  # fmt: skip

    def test_hdf5(self):
        self.hdf5("a.h5", np.array([1_700_000_000_000_000_001, 1_700_000_000_000_000_003]))
        self.hdf5("b.h5", np.array([1_700_000_000_000_000_005]), operator="Ada")
        told = self.told("hdf5", {"time_first": True}, steps=3)
        self.assertEqual(told["dimensions"][0], {
            "name": "t", "size": 3, "units": "s", "spacing": 2.0,
            "values": [1_700_000_000_000_000_001 + step for step in (0, 2, 4)],
        })  # fmt: skip
        self.assertEqual(told["shape"], [3, 3, 4])
        (other,) = told["attributes_of_files"]
        self.assertEqual(other, {"file": "b.h5", "attributes": {"/": {"made": "b.h5"}, "/e/v": {"operator": "Ada"}}})

    def test_files_that_count_from_different_moments(self):
        self.netcdf("a.nc", [0.0, 1.0])
        self.netcdf("b.nc", [0.0], units="days since 2000-01-03")
        time = self.told("netcdf", steps=3)["dimensions"]["time"]
        self.assertEqual((time["size"], "values" in time), (3, False))
        self.assertEqual(time["values_by_file"], [
            {"file": "a.nc", "size": 2, "units": DAYS, "values": [0, 1]},
            {"file": "b.nc", "size": 1, "units": "days since 2000-01-03", "values": [0]},
        ])  # fmt: skip

    def test_a_moment_without_an_axis(self):
        for day in range(3):
            self.netcdf(f"{day}.nc", 4.0 + day)
        told = self.told("netcdf", steps=3)
        self.assertEqual(list(told["dimensions"]), ["time", "lat", "lon"])
        self.assertEqual(told["dimensions"]["time"]["values"], [4, 5, 6])
        self.assertEqual((told["time_axis"], told["axes"]), ("time", ["lon", "lat", "time"]))

    def test_long_ones_have_a_file(self):
        self.netcdf("a.nc", np.arange(2050.0))
        self.netcdf("b.nc", np.arange(2050.0) + 5000)
        time = self.told("netcdf", steps=4100)["dimensions"]["time"]
        self.assertEqual({key: value for key, value in time.items() if key != "attributes"}, {
            "size": 4100, "first": 0, "last": 7049, "values_left_out": 4100, "values_in": "coordinates.json",
        })  # fmt: skip
        self.assertEqual(self.read("coordinates.json"), {"time": [*range(2050), *range(5000, 7050)]})


class OtherGrids(SeriesCase):
    def test_netcdf(self):
        for other, words in (
            ({"lat": (10, 20, 31)}, ["axis lat", "up to 1)"]),
            ({"lat_units": "radians"}, ["degrees_north", "radians"]),
        ):
            with self.subTest(other):
                self.netcdf("a.nc", [0.0])
                self.netcdf("b.nc", [1.0], **other)
                self.assert_refused(self.convert("netcdf"), "slice_mismatch", "a.nc", "b.nc", *words)

    def test_levels_that_are_left_out(self):
        axes = ("time", "level", "lat", "lon")
        self.netcdf("a.nc", [0.0], axes=axes, level=500)
        self.netcdf("b.nc", [1.0], axes=axes, level=850)
        self.assert_refused(self.convert("netcdf"), "slice_mismatch", "axis level", "up to 350")

    def test_hdf5(self):
        for other, words in (
            ({"y": (0.0, 0.5, 2.0)}, "axis y"), ({"voxel_size": [1.0, 2.0, 2.0]}, "size of voxels"),
        ):  # fmt: skip
            with self.subTest(other):
                self.hdf5("a.h5", [0.0], voxel_size=[1.0, 1.0, 1.0])
                self.hdf5("b.h5", [1.0], **({"voxel_size": [1.0, 1.0, 1.0]} | other))
                run = self.convert("hdf5", parameters={"time_first": True})
                self.assert_refused(run, "slice_mismatch", "a.h5", "b.h5", words)

    def test_rounding_and_silence_are_no_difference(self):
        lat = np.array([10.1, 20.2, 30.3])
        self.netcdf("a.nc", [0.0], lat)
        self.netcdf("b.nc", [1.0], lat.astype("f4"))
        self.told("netcdf", steps=2)
        self.hdf5("c.h5", [0.0])
        with h5py.File(os.path.join(self.inputs, "d.h5"), "w") as file:
            file["e/v"] = np.zeros((1, 3, 4), "f4")
        self.assert_done(self.convert("hdf5", ["c.h5", "d.h5"], {"time_first": True}))


if __name__ == "__main__":
    unittest.main()
