"""Converter for the sensor NIFTI: NIfTI-1 or NIfTI-2 files -> one OpenVisus dataset.

Two axes are an image, three a volume, four timesteps of volumes. Several files follow one another in time, in natural
order of their names. Stored values are kept bit for bit: slope and intercept are recorded, never applied.
"""

from sluice_convert.natural import listing, natural_key, visible
from sluice_convert.report import Fault, run_program
from sluice_convert.sniff import meant

ENDINGS = (".nii", ".nii.gz")
GRID_TOLERANCE = 1e-3  # in the unit of space: programs round the places of voxels


def chosen(inputs):
    """The NIfTI files among the inputs, by name or content, in natural order."""
    from sluice_convert.nifti_file import is_nifti

    if not inputs:
        raise Fault("empty_input", "There are no files to convert. Upload at least one NIfTI file.")
    seen = visible(inputs)
    files = [item for item in seen if item["name"].lower().endswith(ENDINGS) or is_nifti(item["path"])]
    if not files:
        there = listing(item["name"] for item in inputs)
        hint = meant(seen[0]["path"]) if len(seen) == 1 else ""
        raise Fault("not_nifti", f"There is no NIfTI file (.nii, .nii.gz) among the files ({there}).{hint}")
    return sorted(files, key=lambda item: natural_key(item["name"]))


def check_alike(first, other, first_name, name):
    """A file that continues another holds the same grid, the same type and the same meaning of numbers."""
    for what, left, right in (
        ("number of voxels (z, y, x)", first.spatial, other.spatial),
        ("type", first.type_words, other.type_words),
        ("slope and intercept", first.scaling, other.scaling),
        ("unit of space", first.space_unit, other.space_unit),
    ):
        if left != right:
            raise Fault(
                "slice_mismatch",
                f"{first_name} and {name} cannot follow one another: the {what} is {left} in the first and {right} in "
                "the second. Upload them as separate datasets.",
            )
    apart = max(abs(a - b) for rows in zip(first.affine, other.affine) for a, b in zip(*rows))
    if apart > GRID_TOLERANCE:
        raise Fault(
            "slice_mismatch",
            f"{first_name} and {name} cannot follow one another: their voxels lie at other places (the affines differ "
            f"by up to {apart:g}). Upload them as separate datasets.",
        )


def main(request, reporter):
    files = chosen(request["inputs"])
    from sluice_convert.nifti_file import opened
    from sluice_convert.nifti_source import NiftiSource
    from sluice_convert.product import convert
    from sluice_convert.visus import check_type

    headers = []
    for item in files:
        headers.append(opened(item["path"], item["name"]))
        check_alike(headers[0], headers[-1], files[0]["name"], item["name"])
    check_type(headers[0].dtype, headers[0].components, files[0]["name"])
    parts = [(item["path"], item["name"], header.steps) for item, header in zip(files, headers)]
    return convert(NiftiSource(parts, headers), request, reporter)


if __name__ == "__main__":
    run_program(main)
