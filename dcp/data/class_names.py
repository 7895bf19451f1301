"""Labels as whole numbers or as names become classes 0..K-1, the same ones in training and test images."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dcp.data.folders import Folder
from dcp.data.regular_files import open_regular
from dcp.errors import RequestError, printable

FILES = ("classes.txt", "classes.json")
LARGEST = 2**24  # bytes of such a file
_WHOLE = re.compile(r"[+-]?[0-9]{1,20}")  # any number of 64 bits


def classes(labels: Sequence[str], named: Mapping[int, str] | None, where: str) -> dict[str, str]:
    """Names of the classes by label, in the order of the classes: numbers by size, names by the alphabet.

    >>> classes(["10", "09"], {9: "cat", 10: "dog"}, "")
    {'09': 'cat', '10': 'dog'}

    Args:
        labels: all that there are, as they are written, each once.
        named: names of numbers, where somebody gave some.
        where: what messages name.

    Raises:
        RequestError: "bad-label", a label without a name, or as `by_number`.
    """
    written = by_number(labels, where)
    if len(written) < len(labels):
        if named is not None and (odd := sorted(set(labels) - set(named.values()))):
            raise bad(f'the label "{odd[0]}" is not among the {len(named):,} names of classes', where)
        order = {name: number for number, name in (named or {}).items()}
        return {label: label for label in sorted(labels, key=lambda label: (order.get(label, 0), label))}
    in_order = sorted(written)
    if named is None:
        return {written[number]: str(number) for number in in_order}
    if odd_numbers := [number for number in in_order if number not in named]:
        raise bad(f"the label {odd_numbers[0]} has no name: {len(named):,} classes are named", where)
    count = Counter(named[number] for number in in_order)  # ImageNet has two kinds of cranes
    return {
        written[number]: named[number] if count[named[number]] == 1 else f"{named[number]} ({number})"
        for number in in_order
    }


def by_number(labels: Iterable[str], where: str) -> dict[int, str]:
    """Those of some labels that are whole numbers, as they are written, by the number.

    >>> by_number(["10", "09", "cat"], "")
    {9: '09', 10: '10'}

    Raises:
        RequestError: "bad-label", two are the same number: nobody can say whether they are one class.
    """
    written: dict[int, str] = {}
    for label in sorted(labels):
        if _WHOLE.fullmatch(label) and (other := written.setdefault(int(label), label)) != label:
            raise bad(f'the labels "{other}" and "{label}" are one number, written in two ways', where)
    return written


def read(root: Folder) -> dict[int, str] | None:
    """The names in `FILES` of a folder by number, from 0; None where there is no such file.

    Raises:
        RequestError: "bad-label", it is something else.
    """
    for name in FILES:
        try:
            with open_regular(root / name) as file:
                content = file.read(LARGEST + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise bad(f"cannot read the names of the classes: {error.strerror}", str(root / name)) from None
        try:
            found = _listed(content.decode("utf-8-sig"), is_json=name.endswith("json"))
        except (ValueError, RecursionError, AttributeError, TypeError):
            found = {}
        if not found or len(content) > LARGEST or not all(text and text.isprintable() for text in found.values()):
            kinds = "a list of names, or an object of names by number or of numbers by name"
            what = f"this holds no names of classes: {kinds if name.endswith('json') else 'one name on each line'}"
            raise bad(what, str(root / name))
        return found
    return None


def _listed(text: str, *, is_json: bool) -> dict[int, str]:
    if not is_json:
        return dict(enumerate(line.strip() for line in text.rstrip().split("\n")))
    content = json.loads(text)
    if isinstance(content, list):
        return {number: name for number, name in enumerate(content) if isinstance(name, str) or _fail()}
    if all(isinstance(value, int) for value in content.values()):
        return {number: name for name, number in content.items()}
    return {int(number): name for number, name in content.items() if isinstance(name, str) or _fail()}


def _fail() -> bool:
    raise ValueError


def bad(what: str, where: str) -> RequestError:
    """The error for labels that cannot be used."""
    hint = "A label is a whole number from 0 on, or a name; classes.txt names the numbers, one on each line."
    return RequestError(printable(what), slug="bad-label", where=where, hint=hint)
