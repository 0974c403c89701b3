"""What differs between a product and its proof, with coordinates; the first ones in full, all of them counted."""

from .report import Fault

MOST_SHOWN = 20


def differs(say):
    """The fault of a product that is not what was read from the source."""
    return Fault("product_differs", f"{say} Convert the data again.")


class Differences:
    """Blocks whose values are not those of the source."""

    def __init__(self):
        self.count = 0
        self._shown = []

    def add(self, block, field, found, low_high, problem):
        """Note a block. `found` is the digest of what was read; None when it could not be read, as `problem` says."""
        self.count += 1
        place = {"field": field, "timestep": block["timestep"], "box": block["box"]}
        if "entry" in block:
            place["entry"] = block["entry"]
        expected = {key: block[key] for key in ("sha256", "min", "max")}
        now = {"sha256": found, "min": low_high[0], "max": low_high[1]}
        self._shown.append(place | {"expected": expected, "found": now} | ({"problem": problem} if problem else {}))

    def shown(self):
        """The first in the order of timesteps and boxes, at most MOST_SHOWN."""
        order = sorted(self._shown, key=lambda one: (one.get("entry", ""), one["field"], one["timestep"], one["box"]))
        return order[:MOST_SHOWN]

    def refuse(self, checked):
        """Raise `product_differs` with the coordinates of the first one, if there is any."""
        if self.count == 0:
            return
        first = self.shown()[0]
        entry = f" of {first['entry']}" if "entry" in first else ""
        raise differs(
            f"The product differs from its source in {self.count} of {checked} compared blocks, first in the field "
            f"{first['field']}{entry} at timestep {first['timestep']} in the box {first['box'][0]} to {first['box'][1]}: "
            f"expected {words(first['expected'])}, found {words(first['found'])}."
        )


def words(side):
    """One side of a difference in a sentence."""
    if side["sha256"] is None:
        return "nothing that can be read"
    return f"sha256 {side['sha256'][:12]} with values {side['min']} to {side['max']}"
