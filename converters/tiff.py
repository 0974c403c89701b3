"""Converter for the sensor TIFF: TIFF files -> one OpenVisus dataset.

One file with many pages: pages are z. Several single-page files: the files, in natural order of their names
(img2 before img10), are z. Several files with many pages: each file is a timestep, its pages are z.
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
    """(steps[t][z], metadata of the first file): how pages become slices and timesteps. Raises slice_mismatch."""
    from sluice_convert.tiff_scan import scan

    scans, facts = [], None
    for number, item in enumerate(tiffs):
        pages, first = scan(item["path"], item["name"], with_facts=facts is None)
        facts = first if facts is None else facts
        scans.append(pages)
        check_alike(tiffs[0], scans[0][0], item, pages)
        if number % 1000 == 999:
            log(f"looked at {number + 1} of {len(tiffs)} files")
    if all(len(pages) == 1 for pages in scans):
        return [[pages[0] for pages in scans]], facts
    for item, pages in zip(tiffs, scans):
        if len(pages) != len(scans[0]):
            raise Fault(
                "slice_mismatch",
                f"{tiffs[0]['name']} has {len(scans[0])} pages and {item['name']} has {len(pages)}; files that are "
                "timesteps must have the same number of pages. Correct or remove one of them.",
            )
    return scans, facts


def check_alike(first, reference, item, pages):
    """Every slice has the layout of the very first one."""
    for page in pages:
        if page.layout != reference.layout:
            where = f"page {page.index + 1} of {item['name']}" if len(pages) > 1 else item["name"]
            raise Fault(
                "slice_mismatch",
                f"{first['name']} is {reference.layout}, but {where} is {page.layout}. "
                "All slices of a volume must be alike: remove or correct the odd one.",
            )


def main(request, reporter):
    tiffs = taken(request["inputs"])
    steps, facts = stacked(tiffs, reporter.log)
    from sluice_convert.product import convert
    from sluice_convert.tiff_source import TiffSource
    from sluice_convert.visus import check_type

    layout = steps[0][0].layout
    check_type(layout.dtype, layout.components, tiffs[0]["name"])
    slices, files = len(steps[0]), [item["name"] for item in tiffs]
    axes = ["x", "y"] + (["z"] if slices > 1 else []) + (["time"] if len(steps) > 1 else [])
    metadata = {"format": "tiff", "files": files, "first_page": facts}
    summary = {"axes": axes, "file_count": len(files), "first_file": files[0], "last_file": files[-1]}
    for tag in ("ImageDescription", "Software", "DateTime", "XResolution", "YResolution", "ResolutionUnit"):
        if tag in facts["tags"]:
            value = facts["tags"][tag]
            summary[tag] = value[:500] if isinstance(value, str) else value
    names = {item["path"]: item["name"] for item in tiffs}
    return convert(TiffSource(steps, names, metadata, summary), request, reporter)


if __name__ == "__main__":
    run_program(main)
