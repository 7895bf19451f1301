"""A comparison of what a person names: runs, arms of seeds, studies."""

from collections.abc import Sequence
from pathlib import Path

from dcp.comparison.compare import Comparison, compare
from dcp.comparison.missing_runs import NO_FOLDER, Absent
from dcp.runs.lookup import without_folder
from dcp.runs.run import find


def compare_named(words: Sequence[str], root: Path) -> Comparison:
    """Compare the runs that `words` mean below `root`; of a study, also say which of its runs are not there.

    Raises:
        RequestError: "no-such-run", "too-few-runs", or what reading a run folder raises.
    """
    absent = [Absent(name, seed, NO_FOLDER) for name, seed in without_folder(words, root)]
    return compare(find(words, root), absent=absent)
