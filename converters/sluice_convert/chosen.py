"""Which of the inputs a converter takes: by name or content, in natural order, or a refusal that says what is there."""

from .natural import listing, natural_key, visible
from .report import Fault
from .sniff import meant


def chosen(inputs, what, accepts, code, none, advice=None):
    """The inputs that `accepts` says yes to. Raises empty_input, or `code` where there is none.

    `what` names one of them; `none` begins the refusal; `advice` ends it, by default with what a single file is.
    """
    if not inputs:
        raise Fault("empty_input", f"There are no files to convert. Upload at least one {what}.")
    seen = visible(inputs)
    files = [item for item in seen if accepts(item)]
    if not files:
        if advice is None:
            advice = meant(seen[0]["path"]) if len(seen) == 1 else ""
        there = listing(item["name"] for item in inputs)
        raise Fault(code, f"There is no {none} among the files ({there}).{advice}")
    return sorted(files, key=lambda item: natural_key(item["name"]))


def named(endings):
    """Accepts by the end of the name."""
    return lambda item: item["name"].lower().endswith(endings)
