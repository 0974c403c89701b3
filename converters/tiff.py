"""Converter for the sensor TIFF: TIFF files -> one OpenVisus dataset.

One file with many pages: pages are z, unless ImageJ, OME or tifffile tell timesteps, slices and channels apart;
channels are samples of a voxel. Several files of one slice: the files, in natural order of their names (img2 before
img10), are z. Several files of many slices: each file is a timestep, or several.
"""

from sluice_convert.chosen import chosen, named
from sluice_convert.report import Fault, run_program
from sluice_convert.sniff import is_tiff

ENDINGS = (".tif", ".tiff")


def taken(inputs):
    """The TIFF files among the inputs, by name or content, in natural order."""
    by_name, advice = named(ENDINGS), " Upload TIFF files or choose another sensor."
    return chosen(
        inputs, "TIFF file", lambda item: by_name(item) or is_tiff(item["path"]), "no_tiff", "TIFF file", advice
    )


def stacked(tiffs, log):
    """(steps[t][z] = pages of the channels, facts of the first file, why its pages are just z)."""
    from sluice_convert.tiff_scan import scan

    scans = []
    for number, item in enumerate(tiffs):
        scans.append(scan(item["path"], item["name"], with_facts=number == 0))
        check_alike(tiffs[0], scans[0], item, scans[-1])
        if number % 1000 == 999:
            log(f"looked at {number + 1} of {len(tiffs)} files")
    facts, note = scans[0].facts, scans[0].note
    if all(len(one.steps) == len(one.steps[0]) == 1 for one in scans):
        return [[one.steps[0][0] for one in scans]], facts, note
    for item, one in zip(tiffs, scans):
        if len(one.steps[0]) != len(scans[0].steps[0]):
            raise Fault(
                "slice_mismatch",
                f"{tiffs[0]['name']} has {len(scans[0].steps[0])} slices and {item['name']} has {len(one.steps[0])}; "
                "files that are timesteps must have the same number of slices. Correct or remove one of them.",
            )
    return [step for one in scans for step in one.steps], facts, note


def check_alike(first, reference, item, found):
    """Every slice has the layout of the very first one, and as many channels."""
    wanted, channels, more = reference.pages[0].layout, len(reference.steps[0][0]), len(found.steps[0][0])
    if channels != more:
        raise Fault("slice_mismatch", f"{first['name']} has {channels} channels and {item['name']} has {more}.")
    for page in found.pages:
        if page.layout != wanted:
            where = f"page {page.index + 1} of {item['name']}" if len(found.pages) > 1 else item["name"]
            raise Fault(
                "slice_mismatch",
                f"{first['name']} is {wanted}, but {where} is {page.layout}. "
                "All slices of a volume must be alike: remove or correct the odd one.",
            )


def main(request, reporter):
    tiffs = taken(request["inputs"])
    steps, facts, note = stacked(tiffs, reporter.log)
    from sluice_convert.product import convert
    from sluice_convert.tiff_facts import channel_names, dimensions, voxel_size
    from sluice_convert.tiff_source import TiffSource
    from sluice_convert.visus import check_type

    layout, channels = steps[0][0][0].layout, len(steps[0][0])
    check_type(layout.dtype, layout.components * channels, tiffs[0]["name"])
    slices, files = len(steps[0]), [item["name"] for item in tiffs]
    told = dimensions(facts, (slices, layout.height, layout.width), len(steps))
    axes = ["x", "y"] + (["z"] if slices > 1 else []) + (["time"] if len(steps) > 1 else [])
    metadata = {"format": "tiff", "files": files, "dimensions": told, "first_page": facts}
    metadata |= {"channels": channel_names(facts)} if channels > 1 else {}
    summary = {"axes": axes, "file_count": len(files), "first_file": files[0], "last_file": files[-1]}
    summary |= voxel_size(told) | ({"page_order": note} if note else {})
    for tag in ("ImageDescription", "Software", "DateTime", "XResolution", "YResolution", "ResolutionUnit"):
        if tag in facts["tags"]:
            value = facts["tags"][tag]
            summary[tag] = value[:500] if isinstance(value, str) else value
    names = {item["path"]: item["name"] for item in tiffs}
    return convert(TiffSource(steps, names, metadata, summary), request, reporter)


if __name__ == "__main__":
    run_program(main)
