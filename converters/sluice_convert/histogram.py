"""How often which values occur, in equal bins, and a picture of it."""

import numpy as np

from .digest import valid_mask

BINS, BAR_HEIGHT = 256, 128
MOST_PANELS = 4
WRAP = 1 << 64


def counted(values, ignored):
    """{"min", "max", "invalid", "counts"} of one kind of sample; equal bins from min to max."""
    valid = values[valid_mask(values, ignored)]
    low, high = (valid.min().item(), valid.max().item()) if valid.size else (None, None)
    counts = binned(valid, low, high) if valid.size else np.zeros(BINS, int)
    return {"min": low, "max": high, "invalid": int(values.size - valid.size), "counts": counts.tolist()}


def binned(values, low, high):
    """Counts in equal bins from `low` to `high`, finite numbers; a single value stands in the middle."""
    if low == high:
        counts = np.zeros(BINS, int)
        counts[BINS // 2] = values.size
        return counts
    first, last, measured = float(low), float(high), values.astype(np.float64)
    # Ends that lie further apart than a number can say are drawn together first.
    factor = 1.0 if last - first < np.inf else 0.25
    edges = np.linspace(first * factor, last * factor, BINS + 1)
    if (np.diff(edges) > 0).all():
        return np.histogram(measured * factor, BINS, (first * factor, last * factor))[0]
    # So near to one another that no bin fits between them: told apart by how far they are from the lowest.
    if values.dtype.kind in "iu":
        measured = (values.astype(np.uint64) - np.uint64(low % WRAP)).astype(np.float64)
        first, last = 0.0, float(high - low)
    return np.histogram((measured - first) / (last - first), BINS, (0.0, 1.0))[0]


def bars(samples):
    """Bars of the counts, square root so that rare values show; one panel for each kind of sample, at most four."""
    panels = []
    for sample in samples[:MOST_PANELS]:
        counts = np.sqrt(np.array(sample["counts"], np.float64))
        heights = (counts / (counts.max() or 1) * BAR_HEIGHT).round()
        rows = np.arange(BAR_HEIGHT, 0, -1)[:, None]
        panels.append(np.where(rows <= heights[None, :], 40, 255).astype(np.uint8))
    return np.concatenate(panels)
