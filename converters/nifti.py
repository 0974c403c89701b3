"""Converter for the sensor NIFTI: NIfTI-1 or NIfTI-2 files -> one OpenVisus dataset.

Two axes are an image, three a volume, four timesteps of volumes. Several files follow one another in time, in natural
order of their names. Stored values are kept bit for bit: slope and intercept are recorded, never applied.
"""

from sluice_convert.chosen import chosen, named
from sluice_convert.report import Fault, run_program

ENDINGS = (".nii", ".nii.gz")
GRID_TOLERANCE = 1e-3  # in the unit of space: programs round the places of voxels


def taken(inputs):
    """The NIfTI files among the inputs, by name or content, in natural order."""
    from sluice_convert.nifti_file import is_nifti

    by_name = named(ENDINGS)
    return chosen(
        inputs, "NIfTI file", lambda item: by_name(item) or is_nifti(item["path"]),
        "not_nifti", "NIfTI file (.nii, .nii.gz)",
    )  # fmt: skip


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
    files = taken(request["inputs"])
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
