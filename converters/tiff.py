"""Converter for the sensor TIFF: TIFF files -> one OpenVisus dataset.

One file with many pages: pages are z, unless ImageJ, OME or tifffile tell timesteps, slices and channels apart;
channels are samples of a voxel. Several files of one slice: the files, in natural order of their names (img2 before
img10), are z. Several files of many slices: each file is a timestep, or several.
"""

from dataclasses import replace

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


def looked_through(tiffs, log):
    """([the Scan of each file], facts of the first, [when each was made], what the others say otherwise)."""
    from sluice_convert.moments import moment
    from sluice_convert.plain import Differing
    from sluice_convert.tiff_facts import by_path
    from sluice_convert.tiff_twins import Twins

    twins, scans, facts, moments, told = Twins(), [], {}, [], Differing()
    for number, item in enumerate(tiffs):
        found = twins.scan(item["path"], item["name"])
        scans.append(replace(found, facts={}))  # those of very many files would fill the memory
        check_alike(tiffs[0], scans[0], item, found)
        facts = found.facts if number == 0 else facts
        moments.append(moment(found.facts))
        told.add(item["name"], by_path(found.facts))
        if number % 1000 == 999:
            log(f"looked at {number + 1} of {len(tiffs)} files")
    return scans, facts, moments, told.found()


def stacked(tiffs, scans):
    """steps[t][z] = pages of the channels."""
    if all(len(one.steps) == len(one.steps[0]) == 1 for one in scans):
        return [[one.steps[0][0] for one in scans]]
    for item, one in zip(tiffs, scans):
        if len(one.steps[0]) != len(scans[0].steps[0]):
            raise Fault(
                "slice_mismatch",
                f"{tiffs[0]['name']} has {len(scans[0].steps[0])} slices and {item['name']} has {len(one.steps[0])}; "
                "files that are timesteps must have the same number of slices. Correct or remove one of them.",
            )
    return [step for one in scans for step in one.steps]


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
    scans, facts, moments, more = looked_through(tiffs, reporter.log)
    steps, note, long = stacked(tiffs, scans), scans[0].note, {}
    from sluice_convert import coordinates
    from sluice_convert.moments import with_deltas, with_times
    from sluice_convert.product import convert
    from sluice_convert.tiff_facts import channel_names, dimensions, headlines, voxel_size
    from sluice_convert.tiff_source import TiffSource
    from sluice_convert.visus import check_type

    layout, channels = steps[0][0][0].layout, len(steps[0][0])
    check_type(layout.dtype, layout.components * channels, tiffs[0]["name"])
    slices, files = len(steps[0]), [item["name"] for item in tiffs]
    told = dimensions(facts, (slices, layout.height, layout.width), len(steps))
    told = with_deltas(told, facts, long) if len(files) == 1 else told
    told = with_times(told, moments, long) if len(steps) == len(files) else told
    axes = ["x", "y"] + (["z"] if slices > 1 else []) + (["time"] if len(steps) > 1 else [])
    metadata = {"format": "tiff", "files": files, "dimensions": told, "first_page": facts, **more}
    metadata |= {"channels": channel_names(facts)} if channels > 1 else {}
    summary = {"axes": axes, "file_count": len(files), "first_file": files[0], "last_file": files[-1]}
    summary |= voxel_size(told) | ({"page_order": note} if note else {}) | headlines(facts)
    names = {item["path"]: item["name"] for item in tiffs}
    result = convert(TiffSource(steps, names, metadata, summary), request, reporter)
    coordinates.write(request["output"], long)
    return result


if __name__ == "__main__":
    run_program(main)
