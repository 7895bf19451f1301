"""Packages that only some commands need: they come with an extra of dcp, `pip install 'dcp[export]'`."""

from importlib.util import find_spec

from dcp.errors import missing_package


def is_there(package: str) -> bool:
    """Whether a package is installed; it is not imported."""
    return find_spec(package) is not None


def check(*packages: str, extra: str, what: str) -> None:
    """Refuse what needs packages that are not installed.

    Args:
        packages: by the names that they are imported under.
        extra: of dcp that installs them.
        what: needs them: "a file of features ending in .parquet".

    Raises:
        MissingExtra: one is not there.
    """
    missing = [name for name in packages if not is_there(name)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        said = f"{what} needs {' and '.join(missing)}, which {verb} not installed"
        raise missing_package(said, extra)
