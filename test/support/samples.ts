// A sample of every sensor: files of known values, and what a product of them must read as.
import { join } from 'node:path';
import type { Sensor } from '../../src/domain/sensor.js';
import { runPython } from './data.js';

export interface Sample {
  readonly sensor: Sensor;
  /** Another spelling of the sensor, as people may give it. */
  readonly spelled?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** Row 0 of the values is the bottom of a picture. */
  readonly upwards?: true;
  /**
   * Python that writes files into `to` and leaves in `fields` what the product must read as: for each field an array of
   * (time, [z,] y, x[, sample]), the field that is shown first.
   */
  readonly make: string;
}

const PRELUDE = `
import os, struct, sys, zlib
import numpy as np
to, record = sys.argv[1:]

def chunk(kind, content):
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

def exif(moment):
    """A camera and the moment of a photo."""
    entries = struct.pack("<HHII", 271, 2, 7, 38) + struct.pack("<HHII", 306, 2, 20, 45)
    return b"II*\\0" + struct.pack("<IH", 8, 2) + entries + bytes(4) + b"Camera\\0" + moment.encode() + b"\\0"

def smooth(*shape, dtype="u2", scale=1):
    """A gradient along every axis and a ball, with a little that repeats nowhere."""
    places = np.indices(shape).astype("f8")
    far = sum(((place + 0.5) / size - 0.4) ** 2 for place, size in zip(places, shape))
    slope = sum((k + 2) * place / size for k, (place, size) in enumerate(zip(places, shape)))
    grain = np.arange(far.size).reshape(shape) % 7
    return (scale * (20 * slope + 90 * (far < 0.06) + grain)).astype(dtype)
`;

/** Writes the files of a sample into a directory, and its values into another file. */
export function makeSample({ make }: Sample, to: string, record: string): void {
  runPython(`${PRELUDE}${make}\nnp.savez(record, **fields)`, [to, record]);
}

/** Where the values of a sample lie. */
export const recordOf = (files: string, { sensor }: Sample): string => join(files, `${sensor}.npz`);

export const SAMPLES: readonly Sample[] = [
  {
    sensor: 'IDX',
    make: `
import OpenVisus as ov
values = smooth(2, 30, 70, 90, scale=9)
dataset = ov.CreateIdx(
    url=to + "/scan.idx", dims=[90, 70, 30], fields=[ov.Field("density", "uint16")], axis="x y depth",
    physic_box=ov.BoxNd(ov.PointNd(0, 0, 0), ov.PointNd(45, 70, 60)),
    filename_template="./blocks/%02x.bin", time=(3, 4, "t%02d/"),
)
for step, volume in enumerate(values):
    dataset.write(volume, time=3 + step)
dataset.compressDataset(["zip"])
fields = {"density": values}`,
  },
  {
    sensor: 'TIFF',
    make: `
import tifffile
values = smooth(20, 300, 700, scale=9)
for k, page in enumerate(values):
    tifffile.imwrite(
        to + f"/slice{k}.tif", page, compression="zlib" if k % 2 else None, resolution=(20, 40),
        resolutionunit="CENTIMETER", software="a test", datetime=f"2024:05:01 12:00:{k:02}",
    )
fields = {"data": values[None]}`,
  },
  {
    sensor: 'TIFF RGB',
    parameters: { columns: '2' },
    make: `
import tifffile
values = np.stack([smooth(40, 60, dtype="u1"), smooth(40, 60, dtype="u1", scale=1.2), smooth(40, 60, dtype="u1")[::-1]], 2)
for column in range(2):
    tile = values[:, column * 30 : column * 30 + 30]
    tifffile.imwrite(
        to + f"/t{column}.tif", tile, photometric="rgb", compression="lzw", resolution=(4, 2), resolutionunit=4,
        datetime="2024:05:01 12:00:00", description="two tiles",
    )
fields = {"data": values[None]}`,
  },
  {
    sensor: 'NETCDF',
    upwards: true,
    make: `
import netCDF4
values = smooth(3, 12, 50, 80, dtype="i2", scale=9)
with netCDF4.Dataset(to + "/air.nc", "w") as file:
    for name, size, units, first, step in zip(
        ("time", "level", "lat", "lon"), values.shape, ("hours since 2000-01-01", "hPa", "degrees_north", "degrees_east"),
        (240, 1000, 10, -20), (6, -50, 0.5, 0.25),
    ):
        file.createDimension(name, size)
        axis = file.createVariable(name, "f8", (name,))
        axis[:] = first + step * np.arange(size)
        axis.units = units
    variable = file.createVariable("t", "i2", ("time", "level", "lat", "lon"), fill_value=-1, compression="zlib")
    variable.set_auto_maskandscale(False)
    variable.setncatts({"scale_factor": 0.01, "add_offset": 273.15, "units": "K", "long_name": "air temperature"})
    variable[:] = values
    file.title = "made by a test"
fields = {"data": values}`,
  },
  {
    sensor: 'HDF5',
    parameters: { dataset: '/entry/data', compression: 'lz4' },
    make: `
import h5py
values = smooth(17, 80, 130, dtype="f4")
with h5py.File(to + "/a.h5", "w") as file:
    made = file.create_dataset("entry/data", data=values, chunks=(3, 20, 30), compression="gzip")
    made.attrs.update({"element_size_um": [3.0, 0.5, 0.25], "units": "counts"})
    file.attrs["start_time"] = "2024-05-01T12:00:00Z"
    file.create_dataset("entry/larger", data=np.zeros((99, 99, 99)))
fields = {"data": values[None]}`,
  },
  {
    sensor: '4D_NEXUS',
    spelled: '4D_Probe',
    parameters: {
      Xs_dataset: '/entry/x',
      Ys: '/entry/y',
      presample: '/entry/before',
      postsample: '/entry/behind',
    },
    make: `
import h5py
values = smooth(5, 16, 27, 38, scale=9)
with h5py.File(to + "/scan.nxs", "w") as file:
    file.create_dataset("entry/volume", data=values).attrs["units"] = "counts"
    for name, size in (("x", 5), ("y", 16), ("before", 80), ("behind", 80)):
        file.create_dataset("entry/" + name, data=np.arange(size) * 0.5 + 1).attrs["units"] = "um"
    file["entry"].attrs["start_time"] = "2024-05-01T12:00:00Z"
fields = {"data": values}`,
  },
  {
    sensor: 'RGB',
    make: `
import imagecodecs
values = np.stack([np.stack([smooth(60, 90, dtype="u1")[:: 1 - 2 * (k == step)] for k in range(3)], 2) for step in range(2)])
for step, photo in enumerate(values):
    with open(to + f"/photo{step}.png", "wb") as file:
        packed = imagecodecs.png_encode(photo)
        told = chunk(b"eXIf", exif(f"2024:05:01 12:00:0{step * 4}")) + chunk(b"tEXt", b"Comment\\0made by a test")
        file.write(packed[:33] + told + packed[33:])
fields = {"data": values}`,
  },
  {
    sensor: 'MAPIR',
    parameters: { red: '1', nir: '3', panels: '[{"box": [2, 2, 18, 18], "reflectance": [0.5]}]' },
    make: `
import tifffile
photo = np.stack([smooth(60, 90, dtype="u1") + 1, smooth(60, 90, dtype="u1"), smooth(60, 90, dtype="u1")[:, ::-1] + 1], 2)
photo = np.stack([photo, photo[::-1]])
for step in range(2):
    tifffile.imwrite(
        to + f"/photo{step}.tif", photo[step], photometric="rgb", resolution=(20, 20), resolutionunit="CENTIMETER",
        software="a camera", datetime=f"2024:05:01 12:00:0{step * 2}",
    )
tifffile.imwrite(to + "/target.tif", np.full((20, 20, 3), 100, "u1"), photometric="rgb")
reflectance = photo.astype("f4") * np.float32(0.005)
red, nir = reflectance[..., 0], reflectance[..., 2]
fields = {"ndvi": (nir - red) / (nir + red), "reflectance": reflectance, "photo": photo}`,
  },
  {
    sensor: 'OTHER',
    parameters: { recognise: 'true', dataset: 'second' },
    make: `
import h5py
values = smooth(70, 110, dtype="i4", scale=99)
with h5py.File(to + "/unknown", "w") as file:
    file["first"], file["second"] = np.zeros((199, 199)), values
    file["second"].attrs.update({"units": "K", "voxel_size": [2.0, 3.0], "long_name": "heat"})
fields = {"data": values[None]}`,
  },
  {
    sensor: 'NIFTI',
    upwards: true,
    make: `
import gzip, struct
values = smooth(3, 12, 50, 80, dtype="i2", scale=9)
head = bytearray(352)
for place, form, numbers in (
    (0, ">i", (348,)), (40, ">8h", (4, 80, 50, 12, 3, 1, 1, 1)), (70, ">2h", (4, 16)), (76, ">5f", (1, 2, 2.5, 3, 0.7)),
    (108, ">3f", (352, 0.5, -3)), (123, ">B", (10,)), (344, ">4s", (b"n+1\\0",)),
):
    struct.pack_into(form, head, place, *numbers)
with gzip.open(to + "/scan.nii.gz", "wb") as file:
    file.write(head + values.astype(">i2").tobytes())
fields = {"data": values}`,
  },
];
