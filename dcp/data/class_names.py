"""Labels as whole numbers or as names become classes 0..K-1, the same ones in training and test images."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from dcp.data.folders import Folder
from dcp.data.regular_files import open_regular
from dcp.errors import RequestError, printable

FILES = ("classes.txt", "classes.json")
LARGEST = 2**24  # bytes of such a file
_WHOLE = re.compile(r"-?[0-9]+")


def classes(labels: Sequence[str], named: Mapping[int, str] | None, where: str) -> dict[str, str]:
    """Names of the classes by label, in the order of the classes: numbers by size, names by the alphabet.

    >>> classes(["10", "9"], {9: "cat", 10: "dog"}, "")
    {'9': 'cat', '10': 'dog'}

    Args:
        labels: all that there are, each once.
        named: names of numbers, where somebody gave some.
        where: what messages name.

    Raises:
        RequestError: "bad-label", a label without a name.
    """
    if not all(map(_WHOLE.fullmatch, labels)):
        if named is not None and (odd := sorted(set(labels) - set(named.values()))):
            raise bad(f'the label "{odd[0]}" is not among the {len(named):,} names of classes', where)
        order = {name: number for number, name in (named or {}).items()}
        return {label: label for label in sorted(labels, key=lambda label: (order.get(label, 0), label))}
    numbers = sorted(map(int, labels))
    if named is None:
        return {str(number): str(number) for number in numbers}
    if odd_numbers := [number for number in numbers if number not in named]:
        raise bad(f"the label {odd_numbers[0]} has no name: {len(named):,} classes are named", where)
    count = Counter(named[number] for number in numbers)  # ImageNet has two kinds of cranes
    return {
        str(number): named[number] if count[named[number]] == 1 else f"{named[number]} ({number})" for number in numbers
    }


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
