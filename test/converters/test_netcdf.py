"""NetCDF: ranks, time axes, packing and byte orders come out equal, and every bad input has its code."""

import json
import os
import unittest

import h5py
import netCDF4
import numpy as np
from support import ConverterCase

RANDOM = np.random.default_rng(30)


class NetcdfCase(ConverterCase):
    def save(self, name, axes, values, attributes=None, units=None, unlimited=None, form="NETCDF4", **options):
        """A file with one variable `v` (raw values), coordinates for each axis and a text variable."""
        path = os.path.join(self.inputs, name)
        with netCDF4.Dataset(path, "w", format=form) as file:
            for axis, size in zip(axes, values.shape):
                file.createDimension(axis, None if axis == unlimited else size)
                coordinate = file.createVariable(axis, "f8", (axis,))
                coordinate[:] = np.arange(size)
                if units and axis in units:
                    coordinate.units = units[axis]
            fill = (attributes or {}).get("_FillValue")
            endian = "big" if values.dtype.byteorder == ">" else "native"
            variable = file.createVariable("v", values.dtype, axes, fill_value=fill, endian=endian, **options)
            variable.set_auto_maskandscale(False)
            variable.setncatts({key: value for key, value in (attributes or {}).items() if key != "_FillValue"})
            variable[:] = values
            file.title = "made by a test"
        return path


def numbers(*shape, dtype="f4"):
    return (RANDOM.normal(size=shape) * 1000).astype(dtype)


class Ranks(NetcdfCase):
    def test_two_dimensions_are_an_image(self):
        values = numbers(31, 47)
        self.save("a.nc", ("lat", "lon"), values)
        run = self.convert("netcdf")
        self.assert_product(run, values)
        self.assertEqual(run.result["metadata"]["axes"], ["lon", "lat"])

    def test_three_dimensions_are_a_volume(self):
        values = numbers(9, 31, 47)
        self.save("a.nc", ("depth", "lat", "lon"), values)
        run = self.convert("netcdf")
        self.assert_product(run, values)
        self.assertEqual(run.result["dims"], [47, 31, 9])

    def test_a_first_axis_of_time_gives_timesteps(self):
        values = numbers(9, 31, 47)
        for axes, options in (
            (("time", "lat", "lon"), {}),
            (("T", "lat", "lon"), {}),
            (("day", "lat", "lon"), {"units": {"day": "days since 2000-01-01"}}),
            (("record", "lat", "lon"), {"unlimited": "record"}),
        ):
            with self.subTest(axes):
                self.save("a.nc", axes, values, **options)
                run = self.convert("netcdf")
                self.assert_product(run, values, timesteps=9)
                self.assertEqual(run.result["metadata"]["time_axis"], axes[0])

    def test_four_dimensions_are_timesteps_of_volumes(self):
        values = numbers(3, 5, 31, 47)
        self.save("a.nc", ("hour", "depth", "lat", "lon"), values)
        self.assert_product(self.convert("netcdf"), values, timesteps=3)

    def test_a_single_level_is_an_image(self):
        values = numbers(3, 1, 31, 47)
        self.save("a.nc", ("time", "level", "lat", "lon"), values)
        self.assert_product(self.convert("netcdf"), values[:, 0], timesteps=3)

    def test_large_timesteps_and_thick_chunks(self):
        values = numbers(2, 40, 160, 200)
        self.save("a.nc", ("time", "z", "y", "x"), values, zlib=True, chunksizes=(1, 40, 50, 50))
        self.assert_product(self.convert("netcdf", slab_bytes=1 << 19), values, timesteps=2)

    def test_files_follow_one_another_in_time(self):
        values = numbers(5, 31, 47)
        self.save("y10.nc", ("time", "lat", "lon"), values[3:])
        self.save("y9.nc", ("time", "lat", "lon"), values[:3])
        self.assert_product(self.convert("netcdf"), values, timesteps=5)


class Values(NetcdfCase):
    def test_packed_values_stay_packed(self):
        values = RANDOM.integers(-30000, 30000, (7, 31, 47)).astype("i2")
        values[0, 0, :5] = -32767
        facts = {"scale_factor": 0.01, "add_offset": 273.15, "_FillValue": np.int16(-32767), "units": "K"}
        self.save("a.nc", ("time", "lat", "lon"), values, facts)
        run = self.convert("netcdf")
        self.assert_product(run, values, timesteps=7)
        self.assertEqual(run.result["metadata"]["scale_factor"], 0.01)
        real = values[values != -32767]
        self.assertEqual((run.result["min"], run.result["max"]), (real.min(), real.max()))
        with open(os.path.join(self.output, "metadata.json")) as file:
            metadata = json.load(file)
        self.assertEqual(metadata["attributes"]["units"], "K")
        self.assertEqual(metadata["global_attributes"]["title"], "made by a test")

    def test_classic_files_are_big_endian_and_become_little(self):
        values = numbers(4, 31, 47)
        for form in ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"):
            with self.subTest(form):
                self.save("a.nc", ("time", "lat", "lon"), values, form=form, unlimited="time")
                self.assert_product(self.convert("netcdf"), values, timesteps=4)

    def test_types_are_kept(self):
        for dtype in ("i1", "u1", "u2", "i4", "u4", "i8", "u8", "f8", ">i4"):
            with self.subTest(dtype):
                values = np.abs(numbers(3, 31, 47)).astype(dtype)
                self.save("a.nc", ("z", "y", "x"), values)
                self.assert_product(self.convert("netcdf"), values)

    def test_the_largest_variable_or_the_named_one(self):
        big, small = numbers(6, 31, 47), numbers(6, 8, dtype="f8")
        path = self.save("a.nc", ("time", "lat", "lon"), big)
        with netCDF4.Dataset(path, "a") as file:
            group = file.createGroup("extra")
            group.createDimension("a", 6)
            group.createDimension("b", 8)
            group.createVariable("small", "f8", ("a", "b"))[:] = small
        self.assert_product(self.convert("netcdf"), big, timesteps=6)
        self.assert_product(self.convert("netcdf", parameters={"variable": "extra/small"}), small)


class Names(NetcdfCase):
    def test_files_without_an_ending(self):
        for form in ("NETCDF3_CLASSIC", "NETCDF3_64BIT_DATA", "NETCDF4"):
            with self.subTest(form):
                values = numbers(31, 47)
                self.save("model_output", ("lat", "lon"), values, form=form)
                self.assert_product(self.convert("netcdf"), values)

    def test_hdf5_that_no_netcdf_wrote_is_named(self):
        with h5py.File(os.path.join(self.inputs, "a.h5"), "w") as file:
            file["v"] = numbers(4, 5)
        self.assert_refused(self.convert("netcdf"), "not_netcdf", "a.h5 is HDF5: did you mean the sensor HDF5")


class Refusals(NetcdfCase):
    def test_no_such_variable_lists_what_is_there(self):
        self.save("a.nc", ("lat", "lon"), numbers(5, 6))
        run = self.convert("netcdf", parameters={"variable": "w"})
        self.assert_refused(run, "no_such_variable", "v (lat 5, lon 6) float32")

    def test_no_numeric_variable(self):
        with netCDF4.Dataset(os.path.join(self.inputs, "a.nc"), "w") as file:
            file.createDimension("x", 5)
            file.createVariable("x", "f4", ("x",))[:] = 0
            file.createVariable("label", str, ("x",))
        self.assert_refused(self.convert("netcdf"), "no_numeric_variable", "label")
        self.assert_refused(self.convert("netcdf", parameters={"variable": "label"}), "unsupported_type")
        self.assert_refused(self.convert("netcdf", parameters={"variable": "x"}), "unsupported_shape")

    def test_not_netcdf(self):
        with open(os.path.join(self.inputs, "a.nc"), "w") as file:
            file.write("this is text, whatever its name says")
        self.assert_refused(self.convert("netcdf"), "not_netcdf", "a.nc")
        self.assert_refused(self.convert("netcdf", []), "empty_input")
        os.rename(os.path.join(self.inputs, "a.nc"), os.path.join(self.inputs, "b.txt"))
        self.assert_refused(self.convert("netcdf"), "not_netcdf", "b.txt")

    def test_no_entries_yet(self):
        with netCDF4.Dataset(os.path.join(self.inputs, "a.nc"), "w") as file:
            file.createDimension("time", None)
            file.createDimension("x", 5)
            file.createVariable("v", "f4", ("time", "x"))
        self.assert_refused(self.convert("netcdf"), "empty_input", "time")

    def test_cut_files_are_never_filled_with_zeros(self):
        for form in ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA", "NETCDF4"):
            for unlimited in (None, "time"):
                path = self.save("a.nc", ("time", "lat", "lon"), numbers(9, 31, 47), form=form, unlimited=unlimited)
                whole = os.path.getsize(path)
                for length in (whole - 9, whole // 2, 60):
                    with self.subTest(form=form, unlimited=unlimited, length=length):
                        os.truncate(path, length)
                        self.assert_refused(self.convert("netcdf"), "truncated", "a.nc")

    def test_nothing_outside_the_file_is_read(self):
        self.save("a.nc", ("lat", "lon"), numbers(5, 6))
        with h5py.File(os.path.join(self.inputs, "a.nc"), "a") as file:
            file["out"] = h5py.ExternalLink("/etc/other.h5", "/v")
        self.assert_refused(self.convert("netcdf"), "unsafe_hdf5", "/out")

    def test_files_that_mean_different_numbers(self):
        values = RANDOM.integers(0, 99, (2, 31, 47)).astype("i2")
        self.save("a.nc", ("time", "lat", "lon"), values, {"scale_factor": 0.1})
        self.save("b.nc", ("time", "lat", "lon"), values, {"scale_factor": 0.2})
        self.assert_refused(self.convert("netcdf"), "slice_mismatch", "scale_factor", "a.nc", "b.nc")


if __name__ == "__main__":
    unittest.main()
