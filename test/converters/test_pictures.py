"""TIFF RGB, RGB and MAPIR: pictures come out equal, mosaics in their places, photos on the map, bad input refused."""

import io
import json
import os
import struct
import unittest
import zlib

import imagecodecs
import numpy as np
import tifffile
from support import ConverterCase

RANDOM = np.random.default_rng(60)


def colours(*shape, dtype="u1"):
    return RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


BYTES_OF = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8}  # of TIFF's types: bytes, text, shorts, longs, fractions


def typed(value):
    """(type, raw bytes) of a text, of a place in the file, or as it is."""
    if isinstance(value, str):
        return 2, value.encode() + b"\0"
    return (4, struct.pack("<I", value)) if isinstance(value, int) else value


def directory(entries, at):
    """A TIFF directory {tag: value as of `typed`} that stands at `at`, long values behind it."""
    head, data_at, data = struct.pack("<H", len(entries)), at + 2 + 12 * len(entries) + 4, b""
    for tag, value in sorted(entries.items()):
        kind, raw = typed(value)
        short, count = len(raw) <= 4, len(raw) // BYTES_OF[kind]
        head += struct.pack("<HHI4s", tag, kind, count, raw if short else struct.pack("<I", data_at + len(data)))
        data += b"" if short else raw + bytes(len(raw) % 2)
    return head + bytes(4) + data


def shorts(*values):
    return 3, struct.pack(f"<{len(values)}H", *values)


def placed(lon, lat, main=None, pixels=b"", taken=None, altitude=None):
    """A TIFF, or the EXIF block of a JPEG, that says where and when a photo was taken with a 36 mm lens."""
    def degrees(value):
        value = abs(value)
        return 5, struct.pack("<6I", int(value), 1, 0, 1, round((value - int(value)) * 3600 * 1000), 1000)

    gps = {1: "N" if lat >= 0 else "S", 2: degrees(lat), 3: "E" if lon >= 0 else "W", 4: degrees(lon)}
    if altitude is not None:
        gps |= {5: (1, bytes([altitude < 0])), 6: (5, struct.pack("<2I", round(abs(altitude) * 10), 10))}
    exif = {41989: shorts(36)} | ({36867: taken} if taken else {})
    gps_at = 8 + len(pixels) + len(pixels) % 2
    exif_at = gps_at + len(directory(gps, gps_at))
    main_at = exif_at + len(directory(exif, exif_at))
    main = (main or {}) | {34665: exif_at, 34853: gps_at}
    parts = directory(gps, gps_at) + directory(exif, exif_at) + directory(main, main_at)
    return b"II*\0" + struct.pack("<I", main_at) + pixels.ljust(gps_at - 8, b"\0") + parts


def flight(height=None, yaw=None):
    """What a drone writes as XMP."""
    told = [b'drone-dji:%s="%+.1f"' % item for item in ((b"RelativeAltitude", height), (b"GimbalYawDegree", yaw))
            if item[1] is not None]  # fmt: skip
    return b"<x %s/>" % b" ".join(told)


def jpeg_with_position(values, lon, lat, height=None, yaw=None, **more):
    """A JPEG with an EXIF block that says where it was taken."""
    block = placed(lon, lat, **more)
    marker = b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block
    if height is not None or yaw is not None:
        xmp = b"http://ns.adobe.com/xap/1.0/\0" + flight(height, yaw)
        marker += b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp
    content = imagecodecs.jpeg_encode(values, level=95)
    return content[:2] + marker + content[2:]


def tiff_with_position(values, lon, lat, height=None, yaw=None, **more):
    """A TIFF of three bands that says where it was taken, its pixels before everything else."""
    rows, columns, bands = values.shape
    main = {256: shorts(columns), 257: shorts(rows), 258: shorts(*[8 * values.itemsize] * bands), 259: shorts(1),
            262: shorts(2), 273: 8, 277: shorts(bands), 278: shorts(rows), 279: values.nbytes,
            700: (1, flight(height, yaw))}  # fmt: skip
    return placed(lon, lat, main, values.tobytes(), **more)


def exif(moment, part="0", zone="+02:00"):
    """An EXIF block of a camera that says when a photo was taken."""
    tags = {271: "Camera", 306: "2020:01:01 00:00:00"}
    place = 8 + len(directory(tags | {34665: 0}, 8))
    taken = {36867: moment, 36881: zone, 37521: part}
    return b"II*\0" + struct.pack("<I", 8) + directory(tags | {34665: place}, 8) + directory(taken, place)


def jpeg_with_exif(values, block):
    content = imagecodecs.jpeg_encode(values, level=95)
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 8) + b"Exif\0\0" + block + content[2:]


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


class PictureCase(ConverterCase):
    def write(self, name, content):
        with open(os.path.join(self.inputs, name), "wb") as file:
            file.write(content)

    def save(self, name, values, **options):
        photometric = "rgb" if values.shape[-1] in (3, 4) else "minisblack"
        planar = {} if photometric == "rgb" else {"planarconfig": "contig"}
        tifffile.imwrite(
            os.path.join(self.inputs, name), values, **({"photometric": photometric} | planar | options)
        )

    def metadata(self):
        with open(os.path.join(self.output, "metadata.json")) as file:
            return json.load(file)

    def collection(self):
        with open(os.path.join(self.output, "photos.geojson")) as file:
            return json.load(file)


class Pictures(PictureCase):
    def test_tiff_layouts_and_compressions(self):
        values = colours(300, 200, 3)
        for options in (
            {}, {"bigtiff": True}, {"tile": (64, 64), "compression": "zlib"}, {"compression": "lzw", "predictor": True},
            {"compression": "zstd"}, {"compression": "deflate", "rowsperstrip": 32},
        ):  # fmt: skip
            with self.subTest(options):
                self.save("a.tif", values, **options)
                self.assert_product(self.convert("rgb", slab_bytes=1 << 16), values)
        self.save("a.tif", np.moveaxis(values, -1, 0), planarconfig="separate")
        self.assert_product(self.convert("rgb"), values)
        self.save("a.tif", values, compression="jpeg", compressionargs={"level": 90})
        self.assert_product(self.convert("rgb"), tifffile.imread(os.path.join(self.inputs, "a.tif")))

    def test_many_bands_and_wide_types(self):
        floats = RANDOM.normal(size=(30, 20, 8)).astype("f4")
        for values in (colours(30, 20, 5), colours(30, 20, 3, dtype="u2"), floats):
            with self.subTest(values.shape):
                self.save("a.tif", values)
                self.assert_product(self.convert("rgb"), values)

    def test_png_and_jpeg(self):
        for values in (colours(30, 20, 3), colours(30, 20, 4), colours(30, 20, 3, dtype="u2"), colours(30, 20)):
            with self.subTest(values.shape):
                self.write("a.png", imagecodecs.png_encode(values))
                self.assert_product(self.convert("rgb"), values)
        os.remove(os.path.join(self.inputs, "a.png"))
        content = imagecodecs.jpeg_encode(colours(30, 20, 3), level=90)
        self.write("a.jpg", content)
        run = self.convert("rgb")
        self.assert_product(run, imagecodecs.jpeg_decode(content))
        self.assertEqual((run.result["dims"], run.result["dtype"]), ([20, 30], "uint8[3]"))

    def test_pictures_without_an_ending(self):
        values = colours(30, 20, 3)
        for name, content in (("photo1", imagecodecs.png_encode(values)), ("notes.txt", b"notes")):
            self.write(name, content)
        self.assert_product(self.convert("rgb"), values)
        self.assert_done(self.convert("mapir"))

    def test_several_pictures_are_timesteps(self):
        values = colours(3, 30, 20, 3)
        for number in range(3):
            self.write(f"p{number + 9}.png", imagecodecs.png_encode(values[number]))
        self.assert_product(self.convert("rgb"), values, timesteps=3)

    def test_mosaics(self):
        whole = colours(2 * 40, 3 * 30, 3)
        places = [(row, column) for row in range(2) for column in range(3)]
        orders = {
            "rows": places, "columns": sorted(places, key=lambda place: place[::-1]),
            "snake": [*places[:3], *places[:2:-1]],
        }  # fmt: skip
        for order, placed in orders.items():
            with self.subTest(order):
                for number, (row, column) in enumerate(placed):
                    tile = whole[row * 40 : row * 40 + 40, column * 30 : column * 30 + 30]
                    self.save(f"t{number}.tif", tile, tile=(16, 16), compression="zlib")
                run = self.convert("rgb", parameters={"columns": 3, "order": order}, slab_bytes=1 << 13)
                self.assert_product(run, whole)

    def test_mosaics_by_names(self):
        whole = colours(2 * 40, 3 * 30, 3)
        for row in range(2):
            for column in range(3):
                tile = whole[row * 40 : row * 40 + 40, column * 30 : column * 30 + 30]
                self.write(f"12_{column + 1}_{row + 1}_out.png", imagecodecs.png_encode(tile))
        self.assert_product(self.convert("rgb", parameters={"order": "names"}), whole)
        os.remove(os.path.join(self.inputs, "12_2_1_out.png"))
        run = self.convert("rgb", parameters={"order": "names"})
        self.assert_refused(run, "mosaic_mismatch", "lacks 1", "_2_1")
        self.assert_refused(self.convert("rgb", parameters={"columns": 3, "rows": 2}), "mosaic_mismatch", "6", "5")


class Places(PictureCase):
    def test_photos_with_positions_lie_on_a_map(self):
        east = 40 / (111_320 * np.cos(np.radians(-43.5)))
        for number, colour in enumerate(((255, 0, 0), (0, 0, 255))):
            values = np.full((60, 80, 3), colour, "u1")
            self.write(f"p{number}.jpg", jpeg_with_position(values, 172.5 + number * east, -43.5, height=40.0))
        run = self.convert("rgb")
        self.assert_done(run)
        self.assertEqual(run.result["metadata"]["georeference"]["photos_with_position"], 2)
        told = self.collection()
        point, footprint = told["features"][1]["geometry"]["geometries"]
        self.assertAlmostEqual(point["coordinates"][0], 172.5 + east, places=5)
        self.assertAlmostEqual(point["coordinates"][1], -43.5, places=5)
        self.assertEqual(told["features"][0]["properties"]["footprint_from"], "height and focal length")
        ring = np.array(footprint["coordinates"][0])
        self.assertAlmostEqual(float(np.ptp(ring[:, 0])) / east, 1.0, places=2)  # 40 m high, 36 mm: 40 m wide
        picture = self.overview()
        left, right = picture[picture.shape[0] // 2, [picture.shape[1] // 8, -picture.shape[1] // 8]].astype(int)
        self.assertGreater(left[0], 200)
        self.assertGreater(right[2], 200)

    def test_a_photo_that_looks_east_lies_on_its_side(self):
        values = np.zeros((60, 80, 3), "u1")
        values[:30], values[30:] = (255, 0, 0), (0, 0, 255)
        moment = "2026:05:17 10:11:12"
        self.write("p.jpg", jpeg_with_position(values, 7.5, 0.25, 40.0, 90.0, taken=moment, altitude=512.5))
        self.assert_done(self.convert("rgb"))
        (feature,) = self.collection()["features"]
        told = {"altitude": 512.5, "height": 40.0, "yaw": 90.0, "taken": moment}
        self.assertEqual({key: feature["properties"][key] for key in told}, told)
        ring = np.array(feature["geometry"]["geometries"][1]["coordinates"][0]) * 111_320
        np.testing.assert_allclose(np.ptp(ring, axis=0), [30, 40], rtol=0.01)  # metres; not turned it is 40 by 30
        picture = self.overview()
        self.assertAlmostEqual(picture.shape[0] / picture.shape[1], 4 / 3, places=1)
        middle, quarter = picture.shape[0] // 2, picture.shape[1] // 4
        west, east = picture[middle, [quarter, -quarter]].astype(int)
        self.assertTrue(west[2] > 200 > 50 > west[0] and east[0] > 200 > 50 > east[2], (west, east))

    def test_tiff_with_a_position(self):
        values = colours(600, 700, 3)
        more = {"taken": "2026:05:17 10:11:12", "altitude": -3.5}
        self.write("p.tif", tiff_with_position(values, -70.5, 12.25, 35.0, -90.0, **more))
        run = self.convert("rgb")
        self.assert_product(run, values)
        (feature,) = self.collection()["features"]
        point, footprint = feature["geometry"]["geometries"]
        np.testing.assert_allclose(point["coordinates"], [-70.5, 12.25], atol=1e-6)
        told = {"altitude": -3.5, "height": 35.0, "yaw": -90.0, "taken": more["taken"],
                "footprint_from": "height and focal length"}  # fmt: skip
        self.assertEqual({key: feature["properties"][key] for key in told}, told)
        north = np.ptp(np.array(footprint["coordinates"][0])[:, 1]) * 111_320
        self.assertAlmostEqual(north, 35.0, places=1)  # its width: it looks west

    def test_png_with_a_position_behind_its_pixels(self):
        values = colours(600, 700, 3)
        packed, place = imagecodecs.png_encode(values), chunk(b"eXIf", placed(-70.5, 12.25, altitude=7.0))
        self.write("p.png", packed[:-12] + place + packed[-12:])
        self.assert_product(self.convert("rgb"), values)
        (feature,) = self.collection()["features"]
        point = feature["geometry"]["geometries"][0]["coordinates"]
        np.testing.assert_allclose(point, [-70.5, 12.25], atol=1e-6)
        self.assertEqual(feature["properties"]["altitude"], 7.0)
        whole = placed(-70.5, 12.25, altitude=7.0)
        for size in range(8, len(whole), 4):  # what a tool cut off gives no position and refuses nothing
            self.write("p.png", packed[:33] + chunk(b"eXIf", whole[:size]) + packed[33:])
            with self.subTest(size=size):
                self.position(os.path.join(self.inputs, "p.png"))

    def position(self, path):
        from sluice_convert.geo import position
        from sluice_convert.pictures import look

        return position(look(path, "p.png"))

    def overview(self):
        with open(os.path.join(self.output, "overview.png"), "rb") as file:
            return imagecodecs.png_decode(file.read())

    def test_without_a_height_footprints_are_assumed(self):
        self.write("p.jpg", jpeg_with_position(colours(60, 80, 3), 7.5, 50.25))
        self.assert_done(self.convert("rgb"))
        self.assertEqual(self.collection()["features"][0]["properties"]["footprint_from"], "distance between photos")
        self.assert_done(self.convert("rgb", parameters={"height": 100}))
        self.assertEqual(self.collection()["features"][0]["properties"]["footprint_from"], "height and focal length")

    def test_without_positions_there_is_no_map(self):
        self.write("p.jpg", imagecodecs.jpeg_encode(colours(60, 80, 3)))
        self.assert_done(self.convert("rgb"))
        self.assertFalse(os.path.exists(os.path.join(self.output, "photos.geojson")))


class Told(PictureCase):
    def test_times_and_camera_of_photos(self):
        for number, (second, part) in enumerate((("00", "0"), ("02", "5"), ("05", "0"))):
            block = exif(f"2024:05:01 12:00:{second}", part)
            self.write(f"p{number}.jpg", jpeg_with_exif(colours(60, 80, 3), block))
        for program in ("rgb", "mapir"):
            with self.subTest(program):
                run = self.convert(program)
                self.assert_done(run)
                facts, told = run.result["metadata"], self.metadata()
                self.assertEqual((facts["Make"], facts["taken"]), ("Camera", "2024-05-01 12:00:00+02:00"))
                self.assertEqual(told["dimensions"][0], {
                    "name": "time", "size": 3, "units": "seconds since 2024-05-01 12:00:00+02:00",
                    "values": [0, 2.5, 5], "spacing": 2.5,
                })  # fmt: skip
                self.assertEqual(told["first_page"]["tags"]["ExifTag"]["DateTimeOriginal"], "2024:05:01 12:00:00")
                self.assertEqual(
                    told["attributes_of_files"][1],
                    {"file": "p2.jpg", "attributes": {"ExifTag": {"DateTimeOriginal": "2024:05:01 12:00:05"}}},
                )
        for name, content in (("p1.jpg", imagecodecs.jpeg_encode(colours(60, 80, 3))),
                              ("p2.jpg", jpeg_with_exif(colours(60, 80, 3), b"II*\0" + b"\xff" * 40))):  # fmt: skip
            self.write(name, content)
            self.assert_done(self.convert("rgb"))  # odd EXIF refuses nothing
            self.assertNotIn("values", self.metadata()["dimensions"][0])

    def test_words_and_resolution_of_pictures(self):
        packed = imagecodecs.png_encode(colours(30, 20, 3))
        more = b"".join((
            chunk(b"pHYs", struct.pack(">IIB", 2000, 4000, 1)), chunk(b"tEXt", b"Title\0caf\xe9"),
            chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"long " * 2000)), chunk(b"zTXt", b"Odd\0\0no zlib"),
            chunk(b"iTXt", b"Author\0\0\0en\0\0" + "Ada Łovelace".encode()),
            chunk(b"eXIf", exif("2024:05:01 12:00:00")),
            chunk(b"tIME", struct.pack(">H5B", 2024, 5, 2, 3, 4, 5)),
        ))  # fmt: skip
        self.write("p.png", packed[:33] + more + packed[33:])
        self.assert_done(self.convert("rgb"))
        told = self.metadata()["first_page"]
        self.assertEqual(told["resolution"], {"x": 2000, "y": 4000, "unit": "m"})
        self.assertEqual((told["text"]["Title"], told["text"]["Author"]), ("café", "Ada Łovelace"))
        self.assertEqual(told["text"]["Comment"]["characters_left_out"], 10000 - 4096)
        self.assertEqual((told["modified"], told["tags"]["Make"]), ("2024:05:02 03:04:05", "Camera"))
        content = imagecodecs.jpeg_encode(colours(30, 20, 3))
        self.write("p.png", content[:2] + b"\xff\xfe\0\x0emade by us\0\0" + content[2:])
        self.assert_done(self.convert("rgb"))
        self.assertEqual(self.metadata()["first_page"]["comment"], "made by us")


class Mapir(PictureCase):
    def fields(self, *names):
        import OpenVisus as ov

        dataset = ov.LoadDataset(os.path.join(self.output, "visus.idx"))
        self.assertEqual(list(dataset.getFields()), list(names))
        return [np.stack([dataset.read(time=step, field=name) for step in dataset.getTimesteps()]) for name in names]

    def test_calibrated_by_the_panels_of_the_target(self):
        photos = colours(2, 50, 70, 3, dtype="u2") // 4
        target = np.zeros((40, 60, 3), "u2")
        target[5:15, 5:15], target[5:15, 25:35] = 1000, 9000
        self.save("target_1.tif", target)
        self.save("target_2.tif", target // 2)
        for number in range(2):
            self.save(f"p{number}.tif", photos[number])
        panels = [
            {"box": [6, 6, 14, 14], "reflectance": [0.1]},
            {"box": [26, 6, 34, 14], "reflectance": [0.9, 0.5, 0.9]},
        ]
        run = self.convert("mapir", parameters={"panels": panels})
        self.assert_done(run)
        ndvi, reflectance, raw = self.fields("ndvi", "reflectance", "photo")
        self.assertTrue((raw == photos).all())
        gains, offsets = np.array([1e-4, 5e-5, 1e-4]), np.array([0.0, 0.05, 0.0])
        wanted = photos * gains + offsets
        np.testing.assert_allclose(reflectance, wanted, atol=1e-5)
        np.testing.assert_allclose(
            ndvi, (wanted[..., 2] - wanted[..., 0]) / (wanted[..., 2] + wanted[..., 0]), atol=1e-3, equal_nan=True
        )
        told = run.result["metadata"]
        self.assertEqual((run.result["field"], told["calibrated"]), ("ndvi", True))
        self.assertEqual((told["target"], told["other_targets"]), ("target_1.tif", ["target_2.tif"]))
        proof = self.prove().result
        self.assertTrue(proof["complete"])
        values = (("ndvi", ndvi[np.isfinite(ndvi)]), ("photo", raw), ("reflectance", reflectance))
        wanted = [(name, float(one.min()), float(one.max())) for name, one in values]
        self.assertEqual([(one["field"], one["min"], one["max"]) for one in proof["fields"]], wanted)

    def test_without_panels_the_index_comes_from_the_values(self):
        photo = colours(50, 70, 3)
        photo[:3] = 0
        self.write("p.png", imagecodecs.png_encode(photo))
        run = self.convert("mapir", parameters={"red": 2, "nir": 1})
        self.assert_done(run)
        ndvi, raw = self.fields("ndvi", "photo")
        red, nir = photo[..., 1].astype("f4"), photo[..., 0].astype("f4")
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(ndvi[0], (nir - red) / (nir + red))
        self.assertFalse(run.result["metadata"]["calibrated"])

    def test_photos_with_positions_lie_on_a_map_and_the_target_does_not(self):
        photos = colours(2, 60, 80, 3) // 2 + 9
        for number, photo in enumerate(photos):
            self.write(f"p{number}.tif", tiff_with_position(photo, 7.5 + number * 1e-4, 50.25, 40.0))
        self.write("target.tif", tiff_with_position(photos[0], 7.6, 50.25, 1.5))
        panels = [{"box": [0, 0, 80, 60], "reflectance": [0.5]}]
        run = self.convert("mapir", parameters={"panels": panels})
        self.assert_done(run)
        self.assertEqual(run.result["metadata"]["georeference"]["photos_with_position"], 2)
        features = [one["properties"] for one in self.collection()["features"]]
        self.assertEqual([(one["photo"], one["timestep"]) for one in features], [("p0.tif", 0), ("p1.tif", 1)])
        self.assertTrue(os.path.exists(os.path.join(self.output, "overview.png")))
        (raw,) = self.fields("ndvi", "reflectance", "photo")[2:]
        self.assertTrue((raw == photos).all())

    def test_targets_and_panels_that_do_not_fit(self):
        self.save("p.tif", colours(50, 70, 3))
        panels = [{"box": [0, 0, 9, 9], "reflectance": [0.5]}]
        self.assert_refused(self.convert("mapir", parameters={"panels": panels}), "no_target")
        self.assert_refused(self.convert("mapir", parameters={"target": "t.tif"}), "no_target", "t.tif")
        self.save("target.tif", np.full((20, 20, 3), 7, "u1"))
        for box, words in (([0, 0, 9, 99], "inside"), ([5, 5, 5, 9], "inside")):
            run = self.convert("mapir", parameters={"panels": [{"box": box, "reflectance": [0.5]}]})
            self.assert_refused(run, "panel_mismatch", words)
        run = self.convert("mapir", parameters={"panels": panels * 2})
        self.assert_refused(run, "panel_mismatch", "told apart")
        self.assert_refused(self.convert("mapir", ["target.tif"]), "no_picture")
        self.save("p.tif", colours(50, 70))
        self.assert_refused(self.convert("mapir", ["p.tif"]), "unsupported_samples", "three bands")


class Refusals(PictureCase):
    def test_other_kinds_and_several_pages(self):
        self.write("a.png", b"\x89HDF\r\n\x1a\n" + bytes(99))
        self.assert_refused(self.convert("rgb"), "not_picture", "HDF5")
        os.rename(os.path.join(self.inputs, "a.png"), os.path.join(self.inputs, "a.bin"))
        self.assert_refused(self.convert("rgb"), "no_picture", "a.bin", "HDF5")
        self.assert_refused(self.convert("rgb", []), "empty_input")
        tifffile.imwrite(os.path.join(self.inputs, "v.tif"), colours(5, 30, 20), photometric="minisblack")
        self.assert_refused(self.convert("rgb", ["v.tif"]), "unsupported_shape", "sensor TIFF")
        self.write("z.png", b"")
        self.assert_refused(self.convert("rgb", ["z.png"]), "empty_input")

    def test_cut_pictures(self):
        values = colours(64, 64, 3)
        tiff = io.BytesIO()
        tifffile.imwrite(tiff, values, photometric="rgb", compression="zlib")
        for name, content in (
            ("a.png", imagecodecs.png_encode(values)), ("b.jpg", imagecodecs.jpeg_encode(values)),
            ("c.tif", tiff.getvalue()),
        ):  # fmt: skip
            for length in (len(content) - 2 if name != "c.tif" else len(content) // 3 * 2, len(content) // 2, 30):
                with self.subTest(name=name, length=length):
                    self.write(name, content[:length])
                    self.assert_refused(self.convert("rgb", [name]), "truncated", name)

    def test_huge_declarations_in_tiny_files(self):
        content = imagecodecs.png_encode(colours(8, 8, 3))
        self.write("a.png", content[:16] + struct.pack(">II", 200_000, 200_000) + content[24:])
        self.assert_refused(self.convert("rgb"), "unsupported_shape", "200000 x 200000")

    def test_pictures_that_differ(self):
        self.write("a.png", imagecodecs.png_encode(colours(30, 20, 3)))
        for other in (colours(30, 21, 3), colours(30, 20, 4), colours(30, 20, 3, dtype="u2")):
            self.write("b.png", imagecodecs.png_encode(other))
            self.assert_refused(self.convert("rgb"), "slice_mismatch", "a.png", "b.png")


if __name__ == "__main__":
    unittest.main()
