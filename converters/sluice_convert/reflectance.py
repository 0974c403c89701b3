"""Photos calibrated by the panels of a target photo, and the vegetation index of two of their bands."""

import numpy as np

from .report import Fault

FLOAT = np.dtype("<f4")


def fitted(target, panels):
    """(gains, offsets) per band, so that gain * value + offset is the reflectance. Raises panel_mismatch."""
    from .picture_source import pixels

    values, bands = pixels(target), target.layout.components
    measured, known = [], []
    for number, panel in enumerate(panels, 1):
        x0, y0, x1, y1 = panel["box"]
        if not (0 <= x0 < x1 <= target.layout.width and 0 <= y0 < y1 <= target.layout.height):
            raise Fault(
                "panel_mismatch",
                f"Panel {number}, [{x0}, {y0}, {x1}, {y1}], is not a box inside {target.name} ({target.layout}).",
            )
        reflectance = panel["reflectance"] * bands if len(panel["reflectance"]) == 1 else panel["reflectance"]
        if len(reflectance) != bands:
            raise Fault("panel_mismatch", f"Panel {number} names {len(reflectance)} reflectances for {bands} bands.")
        measured.append(values[y0:y1, x0:x1].reshape(-1, bands).astype(np.float64).mean(axis=0))
        known.append(reflectance)
    measured, known = np.array(measured), np.array(known, np.float64)
    spread = measured.max(axis=0) - measured.min(axis=0) if len(panels) > 1 else measured[0]
    if (spread <= 0).any():
        raise Fault("panel_mismatch", f"The panels of {target.name} cannot be told apart by their values.")
    if len(panels) == 1:
        return (known[0] / measured[0]).tolist(), [0.0] * bands
    lines = [np.polyfit(measured[:, band], known[:, band], 1) for band in range(bands)]
    return [float(gain) for gain, _ in lines], [float(offset) for _, offset in lines]


class _Derived:
    """A source that is computed from the photos, pixel by pixel."""

    def __init__(self, photos, field, components):
        self.photos, self.field, self.components = photos, field, components
        self.dtype = FLOAT
        for name in ("shape", "timesteps", "flat", "row_access", "y_up", "ignored", "bytes_in", "metadata", "summary"):
            setattr(self, name, getattr(photos, name))


class Reflectance(_Derived):
    """gain * value + offset of each band."""

    def __init__(self, photos, gains, offsets):
        super().__init__(photos, "reflectance", photos.components)
        self._gains, self._offsets = np.array(gains, FLOAT), np.array(offsets, FLOAT)

    def read(self, *box):
        return self.photos.read(*box).astype(FLOAT) * self._gains + self._offsets


class Ndvi(_Derived):
    """(nir - red) / (nir + red); NaN where both are zero."""

    def __init__(self, photos, red, nir):
        super().__init__(photos, "ndvi", 1)
        self._red, self._nir = red, nir

    def read(self, *box):
        values = self.photos.read(*box)
        red, nir = (values[..., band].astype(FLOAT) for band in (self._red, self._nir))
        with np.errstate(all="ignore"):
            index = (nir - red) / (nir + red)
        return np.where(np.isfinite(index), index, np.float32(np.nan)).astype(FLOAT)
