"""The recipes that ship with dcp: a folder in the installed package, or `recipes/` in a checkout."""

from pathlib import Path

from dcp.errors import RequestError, expanded_path, near_names

LONGEST = 2**21  # bytes: 10,000 arms of 200; reading more takes seconds
PACKAGE = Path(__file__).parents[1]
STUDIES, THEORY, TINY = "studies/", "theory/", "tiny/"


def folder() -> Path:
    """Where the recipes lie."""
    inside = PACKAGE / "_recipes"
    return inside if inside.is_dir() else PACKAGE.parent / "recipes"


def names() -> list[str]:
    """Names of all recipes of one run that ship, sorted: "cifar10_directcopy", ..., "tiny/directcopy", ...

    >>> "tiny/directcopy" in names()
    True
    """
    return [name for name in every() if not name.startswith((STUDIES, THEORY))]


def studies() -> list[str]:
    """Names of all studies that ship, sorted: "studies/cifar10_small", ...

    >>> "studies/paper_cifar10" in studies()
    True
    """
    return [name for name in every() if name.startswith(STUDIES)]


def theories() -> list[str]:
    """Names of all theory recipes that ship, sorted: "theory/threshold", ...

    >>> "theory/threshold" in theories()
    True
    """
    return [name for name in every() if name.startswith(THEORY)]


def every() -> list[str]:
    """Names of all recipes that ship, of any kind."""
    return sorted(path.relative_to(folder()).with_suffix("").as_posix() for path in folder().rglob("*.toml"))


def find(source: str) -> Path:
    """The file of a recipe: a path, or the name of one that ships.

    Raises:
        RequestError: neither; with the nearest names.
    """
    try:
        path = expanded_path(source, slug="no-such-recipe")
        if path.is_file():
            return path
    except PermissionError as error:
        raise unreadable(Path(source), error) from None
    except OSError:  # a name too long for the system
        path = Path()
    if ships := named(source):
        return ships
    if path != Path() and (path / "recipe.toml").is_file():
        hint = f"this is a run folder; its recipe is {path / 'recipe.toml'}"
    else:
        files = {file.stem: str(file) for file in sorted(path.parent.glob("*.toml"))}
        near = near_names(source.removesuffix(".toml"), [*every(), *files], cutoff=0.5)
        near = [files.get(name, name) for name in [*near, *near_names(path.stem, files, 1)]]
        near = list(dict.fromkeys(near))
        hint = (f"did you mean {', '.join(near)}?\n" if near else "") + "`dcp recipes` lists those that ship"
    raise RequestError(f'there is no recipe "{source}"', slug="no-such-recipe", hint=hint)


def named(source: str) -> Path | None:
    """The file of the recipe that ships under a name, if there is one; ".toml" and "recipes/" may be written too."""
    name = source.removeprefix("recipes/").removesuffix(".toml")
    return folder() / f"{name}.toml" if name in every() else None


def read(path: Path) -> str:
    """The text of a recipe's file.

    Raises:
        RequestError: "bad-file", it may not be read, is no text, or is so long that it was not meant.
    """
    try:
        if (size := path.stat().st_size) > LONGEST:
            what, hint = f"it has {size:,} bytes", f"a recipe has at most {LONGEST:,}: fewer arms, or values on axes"
            raise RequestError(what, slug="bad-file", where=str(path), hint=hint)
        return path.read_text(encoding="utf-8-sig")  # Windows editors put a byte order mark in front
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError | UnicodeDecodeError) -> RequestError:
    """The error for a recipe's file that cannot be read."""
    if isinstance(error, UnicodeDecodeError):
        message = f"this is no text in UTF-8: byte {error.start} is 0x{error.object[error.start]:02x}"
        hint = 'Save it as UTF-8; editors have that under "encoding".'
    else:
        message = f"cannot read it: {error.strerror}"
        hint = "Check that it is a file and that you may read it, or start from one that ships: `dcp recipes`."
    return RequestError(message, slug="bad-file", where=str(path), hint=hint)
