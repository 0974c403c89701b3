"""What a proof by a sample is worth: the smallest share of bad blocks that it would have found."""

import math

CONFIDENCE = 0.99


def smallest_found(total, checked, confidence=CONFIDENCE):
    """The fewest bad blocks among `total` of which at least one would be among the `checked` with this probability.

    The first and the last block are always checked, so the bad ones lie among the others, of which `checked` - 2 are
    drawn without putting back. 1 when everything is checked; `total` when nothing can be said.
    """
    if checked >= total:
        return min(1, total)
    between, drawn = total - 2, max(0, checked - 2)
    if drawn == 0:
        return total
    low, high = 1, between - drawn + 1  # with so many bad ones a draw cannot avoid them
    while low < high:
        bad = (low + high) // 2
        if chance_of_missing(between, drawn, bad) <= 1 - confidence:
            high = bad
        else:
            low = bad + 1
    return low


def chance_of_missing(between, drawn, bad):
    """Probability that `drawn` of `between` blocks hold none of the `bad` ones."""
    if bad > between - drawn:
        return 0.0
    log = math.lgamma
    ways = log(between - bad + 1) - log(between - bad - drawn + 1) - log(between + 1) + log(between - drawn + 1)
    return math.exp(ways)


def statement(total, checked, seed):
    """How sure the proof is, as it stands in the record."""
    bad = smallest_found(total, checked)
    return {
        "blocks": total, "checked": checked, "complete": checked >= total, "seed": seed,
        "probability": 1.0 if checked >= total else CONFIDENCE,
        "bad_blocks_found_from": bad, "bad_share_found_from": bad / total if total else 0.0,
    }  # fmt: skip
