"""Converter for the sensors TIFF RGB and RGB: colour pictures -> one two-dimensional OpenVisus dataset.

One picture is an image; several are timesteps, or the tiles of a mosaic when `parameters` names its columns, rows or
order. Photos that know where they were taken also give photos.geojson and overview.png.
"""

from sluice_convert.report import run_program


def main(request, reporter):
    from sluice_convert import coordinates
    from sluice_convert.mosaic import laid_out
    from sluice_convert.overview import georeference
    from sluice_convert.picture_facts import told_of
    from sluice_convert.picture_source import PictureSource, check_alike
    from sluice_convert.pictures import look, taken
    from sluice_convert.product import convert
    from sluice_convert.visus import check_type

    parameters = request.get("parameters") or {}
    pictures = [look(item["path"], item["name"]) for item in taken(request["inputs"])]
    check_alike(pictures)
    layout, names = pictures[0].layout, [one.name for one in pictures]
    check_type(layout.dtype, layout.components, names[0])
    columns, rows, order = (parameters.get(key) for key in ("columns", "rows", "order"))
    mosaic = bool(columns or rows or order)
    steps = [laid_out(pictures, columns, rows, order or "rows")] if mosaic else [[[one]] for one in pictures]
    summary = {"axes": ["x", "y"] + ([] if len(steps) == 1 else ["time"]), "file_count": len(names)}
    summary["samples"] = layout.components
    if mosaic:
        summary |= {"mosaic_columns": len(steps[0][0]), "mosaic_rows": len(steps[0])}
    else:
        found = georeference(pictures, request["output"], parameters.get("height"))
        summary |= {"georeference": found} if found else {}
    shape = 1, len(steps[0]) * layout.height, len(steps[0][0]) * layout.width
    long = {}
    told, headlines = told_of(pictures, shape, len(steps), long)
    metadata = {"format": "pictures", "files": names, **told}
    result = convert(PictureSource(steps, metadata, summary | headlines), request, reporter)
    coordinates.write(request["output"], long)
    return result


if __name__ == "__main__":
    run_program(main)
