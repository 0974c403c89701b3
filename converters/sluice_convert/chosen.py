"""Which of the inputs a converter takes: by name or content, in natural order, or a refusal that says what is there."""

from .natural import listing, natural_key, visible
from .report import Fault
from .sniff import kind_of, meant


def chosen(inputs, what, accepts, code, none, advice=""):
    """The inputs that `accepts` says yes to. Raises empty_input, or `code` where there is none.

    `what` names one of them; `none` begins the refusal, which says what the first of the others is; `advice` ends it.
    """
    if not inputs:
        raise Fault("empty_input", f"There are no files to convert. Upload at least one {what}.")
    seen = visible(inputs)
    files = [item for item in seen if accepts(item)]
    if not files:
        there = listing(item["name"] for item in inputs)
        raise Fault(code, f"There is no {none} among the files ({there}).{first_meant(seen)}{advice}")
    return sorted(files, key=lambda item: natural_key(item["name"]))


def first_meant(items):
    """A sentence that names the first file of a known kind and its sensor; a single file of text is named as that."""
    known = next((item for item in items if kind_of(item["path"])), items[0] if len(items) == 1 else None)
    return meant(known["path"], known["name"]) if known else ""


def named(endings):
    """Accepts by the end of the name."""
    return lambda item: item["name"].lower().endswith(endings)
