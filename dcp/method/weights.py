"""Weights: the tensors and the header of a safetensors file, or what is wrong with it in words."""

import json
import stat
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dcp.errors import LFS_POINTER, RequestError, near_names, not_fetched, printable

CHECKSUM = "crc32"  # the key of the header that holds it; files of others have none
LIBRARIES = ("timm", "torchvision")  # words of network.weights that are no paths
HEADS = ("fc", "heads", "head", "classifier")  # what models call their classifier
COUNTERS = "num_batches_tracked"  # of batch norms: older files lack them, and nothing depends on them
VARIANCES = "running_var"  # of batch norms, which take the square root of them
NAMED = 10  # tensors that an error names
NOT_REMADE = "start.safetensors"
MOST = 2**35  # bytes of a file of which nothing is known
BESIDES = 2**20  # bytes of a file besides its tensors: their names, the recipe, padding


def size(*tensors: Iterable[Tensor]) -> int:
    """Bytes that a file of these tensors has at most."""
    return BESIDES + sum(tensor.nbytes for each in tensors for tensor in each)


def read(path: Path, most: int = MOST) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the header of a safetensors file.

    Args:
        path: of the file.
        most: bytes that it may have. Its checksum takes seconds per GB, and holes in a file cost its maker nothing.

    Raises:
        RequestError: it is damaged, or larger.
        NotFetched: it is a Git LFS pointer.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise unusable("it is no regular file", path)  # opening a pipe waits without end
        if (there := status.st_size) > most:
            what = f"it is of another network, or damaged: it has {there:,} bytes instead of at most {most:,}"
            raise unusable(what, path)
        path.open("rb").close()  # who may not read it hears from safetensors that there is none
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = file.metadata() or {}
    except (SafetensorError, OSError, RuntimeError) as error:  # the last: the memory has no room for it
        raise not_fetched(str(path)) if _is_pointer(path) else unreadable(error, path) from None
    if CHECKSUM in header and header[CHECKSUM] != checksum(tensors, header):
        raise unusable("it holds something else than was written: a disk or a copy has changed it", path)
    return tensors, header


def content(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> bytes:
    """A safetensors file of tensors on the CPU, with a checksum in its header: equal ones give equal bytes.

    The library writes the header's metadata in random order. Here they are sorted: a file is 8 bytes of header length,
    the header in JSON padded with spaces, then the tensors at offsets from its end.
    """
    whole = {key: text for key, text in header.items() if key != CHECKSUM}
    data = save(dict(tensors), {**whole, CHECKSUM: checksum(tensors, whole)})
    end = 8 + int.from_bytes(data[:8], "little")
    table = json.loads(data[8:end])
    table["__metadata__"] = dict(sorted(table["__metadata__"].items()))
    text = json.dumps(table, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def checksum(tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> str:
    """CRC-32 of tensors on the CPU with their names and types, and of a header without its own checksum."""
    crc = 0
    for key, text in sorted(header.items()):
        if key != CHECKSUM:
            crc = zlib.crc32(f"{key}={text};".encode(), crc)
    for name, tensor in sorted(tensors.items()):
        crc = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), crc)
        crc = zlib.crc32(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data, crc)
    return f"{crc:08x}"


def fitted(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors that a network takes, by its own names, shapes and types; and the names of those left out.

    A classifier's are left out, as networks here have none. Floating point of any width becomes that of the network.

    Args:
        given: tensors of a file.
        wanted: the state of the network.

    Raises:
        RequestError: "weights-differ", with what is missing, unexpected or of another shape; "bad-checkpoint", not all
            are finite, or a variance is negative.
    """
    left_out = [name for name in given if name not in wanted and name.partition(".")[0] in HEADS]
    found = {name: value for name, value in given.items() if name not in left_out}
    missing = [name for name in wanted if name not in found and not name.endswith(COUNTERS)]
    unexpected = [name for name in found if name not in wanted]
    others = [name for name in found if name in wanted and not _alike(found[name], wanted[name])]
    if missing or unexpected or others:
        lines = [f"missing {name}{_near(name, unexpected)}" for name in missing]
        lines += [f"unexpected {printable(name)}{_near(name, missing)}" for name in unexpected]
        lines += [f"{name}: {_form(found[name])} there, {_form(wanted[name])} here" for name in others]
        lines.sort(key=lambda line: line.startswith(("missing", "unexpected")))  # shapes say most, and are few
        more = [f"and {len(lines) - NAMED:,} more"] if len(lines) > NAMED else []
        counts = ((missing, "missing"), (unexpected, "unexpected"), (others, "of another shape"))
        what = ", ".join(f"{len(names):,} {word}" for names, word in counts if names)
        hint = "\n".join([*lines[:NAMED], *more, *_prefixed(missing, unexpected)])
        raise RequestError(f"the weights are of another network: tensors {what}", slug="weights-differ", hint=hint)
    taken = {name: found.get(name, torch.zeros_like(like)).to(like.dtype).contiguous() for name, like in wanted.items()}
    if odd := [name for name, value in taken.items() if not bool(value.isfinite().all())]:
        what = f"the weights are not finite: {odd[0]}" + (f" and {len(odd) - 1:,} more" if odd[1:] else "")
        raise RequestError(what, slug="bad-checkpoint", hint="Their training went wrong: give other weights.")
    if odd := [name for name, value in taken.items() if name.endswith(VARIANCES) and bool((value < 0).any())]:
        what = f"a variance is negative: {odd[0]}" + (f" and {len(odd) - 1:,} more" if odd[1:] else "")
        raise RequestError(what, slug="bad-checkpoint", hint="The file is damaged: give other weights.")
    return taken, left_out


def _alike(value: Tensor, like: Tensor) -> bool:
    same_type = value.dtype == like.dtype or (value.is_floating_point() and like.is_floating_point())
    return value.shape == like.shape and same_type


def _form(value: Tensor) -> str:
    kind = "" if value.is_floating_point() else f" {str(value.dtype).removeprefix('torch.')}"
    return f"{list(value.shape)}{kind}"


def _near(name: str, names: list[str]) -> str:
    near = [other for other in names if other.endswith(f".{name}") or name.endswith(f".{other}")]
    near = near or (near_names(name, names, 1, cutoff=0.8) if len(names) <= 2000 else [])
    return f" (near: {printable(near[0])})" if near else ""


def _prefixed(missing: list[str], unexpected: list[str]) -> list[str]:
    """What to do where all missing tensors are there under longer names."""
    prefixes = {other.removesuffix(missing[0]) for other in unexpected if other.endswith(missing[0])} if missing else ()
    for prefix in prefixes:
        if {prefix + name for name in missing} <= {*unexpected}:
            return [f'All of them are there under names that begin with "{printable(prefix)}": take it off them.']
    return []


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(LFS_POINTER)) == LFS_POINTER
    except OSError:
        return False


def unreadable(error: Exception, path: Path) -> RequestError:
    """The error for a file of weights, or its folder, that cannot be opened."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    wrong = unusable(f"cannot read the file: {reason}", path)
    if isinstance(error, PermissionError):
        wrong.hint = "Nothing need be wrong with it: ask its owner for the right to read it, or for a copy."
    return wrong


def unusable(message: str, path: Path) -> RequestError:
    """The error for a file of weights that cannot be used, with the way out."""
    what = "it is made again" if path.name == "encoder.safetensors" else "the run begins anew"
    hint = f"Restore it from a copy; or delete it and go on with --resume: {what}."
    if path.name == NOT_REMADE:
        hint = "Restore it from a copy, or begin a new run with the weights that it was made of: run.name=NEW_NAME."
    return RequestError(message, slug="bad-checkpoint", where=str(path), hint=hint)
