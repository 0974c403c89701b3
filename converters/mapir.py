"""Converter for the sensor MAPIR: photos of red, another band and near infrared -> NDVI, reflectance and the photos.

A photo of the calibration target gives the line from values to reflectances, when `parameters.panels` says where its
panels are and what they reflect. It is no timestep itself.
"""

from sluice_convert.natural import listing
from sluice_convert.report import Fault, run_program

RED, NIR, BANDS = 1, 3, 3


def parted(files, wanted):
    """(targets, photos): the one that is named, else all whose names begin with `target`."""
    base = {item["name"]: item["name"].rpartition("/")[2] for item in files}
    targets = [
        item
        for item in files
        if (wanted in (item["name"], base[item["name"]]) if wanted else base[item["name"]].lower().startswith("target"))
    ]
    if wanted and not targets:
        raise Fault("no_target", f"There is no photo {wanted} among {listing(base)}.")
    photos = [item for item in files if item not in targets]
    if not photos:
        raise Fault("no_picture", f"There is no photo beside the target among {listing(base)}.")
    return targets, photos


def calibration(target, panels):
    """(gains, offsets), or None without panels. Raises no_target, panel_mismatch."""
    from sluice_convert.pictures import look
    from sluice_convert.reflectance import fitted

    if panels and target is None:
        raise Fault("no_target", "Panels are given and there is no photo of the target. Send it, or name it.")
    return fitted(look(target["path"], target["name"]), panels) if panels else None


def main(request, reporter):
    from sluice_convert import coordinates
    from sluice_convert.overview import georeference
    from sluice_convert.picture_facts import told_of
    from sluice_convert.picture_source import PictureSource, check_alike
    from sluice_convert.pictures import look, taken
    from sluice_convert.product import convert
    from sluice_convert.reflectance import Ndvi, Reflectance

    parameters = request.get("parameters") or {}
    targets, files = parted(taken(request["inputs"]), parameters.get("target"))
    target = targets[0] if targets else None
    pictures = [look(item["path"], item["name"]) for item in files]
    check_alike(pictures)
    layout, names = pictures[0].layout, [one.name for one in pictures]
    if layout.components != BANDS:
        raise Fault("unsupported_samples", f"{names[0]} is {layout}; a MAPIR photo has three bands.")
    line = calibration(target, parameters.get("panels"))
    red, nir = parameters.get("red", RED) - 1, parameters.get("nir", NIR) - 1
    if red == nir:
        raise Fault("unsupported_samples", "The bands of red and near infrared are the same. Name two bands.")
    found = georeference(pictures, request["output"], parameters.get("height"))
    summary = {"axes": ["x", "y", "time"] if len(names) > 1 else ["x", "y"], "file_count": len(names)}
    summary |= {"calibrated": line is not None, "target": target and target["name"], "red": red + 1, "nir": nir + 1}
    summary |= {"other_targets": [item["name"] for item in targets[1:]]} if len(targets) > 1 else {}
    summary |= {"gains": line[0], "offsets": line[1]} if line else {}
    summary |= {"georeference": found} if found else {}
    long = {}
    told, headlines = told_of(pictures, (1, layout.height, layout.width), len(pictures), long)
    metadata = {"format": "mapir", "files": names, "panels": parameters.get("panels"), **told}
    photos = PictureSource([[[one]] for one in pictures], metadata, headlines | summary)
    photos.field = "photo"
    values = Reflectance(photos, *line) if line else photos
    result = convert([Ndvi(values, red, nir), *([values] if line else []), photos], request, reporter)
    coordinates.write(request["output"], long)
    return result


if __name__ == "__main__":
    run_program(main)
