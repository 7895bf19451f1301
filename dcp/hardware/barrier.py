"""A barrier that may take hours: processes that train together wait until all of them are at the same place.

A barrier of NCCL gives up after ten minutes and one of gloo after half an hour; downloads and the first reading of many
tar files take longer. So processes write into their store that they have come, and ask it for the others. Whether these
still live is not its business: the store ends with the process that has it, whoever started the processes of one
machine ends them all, and other machines have a lifeline.
"""

import itertools
import time
from collections.abc import Callable

from torch.distributed import Store  # type: ignore[attr-defined]

SAID_AFTER_S = 30.0  # and again after twice, four times, ... as long
POLL_S = 0.2
_numbers = itertools.count()  # of the barriers of this process: all come to the same ones, in the same order


def wait(store: Store, rank: int, count: int, say: Callable[[str], None]) -> None:
    """Until all processes have called it as often as this one.

    Args:
        store: of all.
        rank: number of this process, from 0.
        count: how many there are.
        say: is told now and then which are waited for.

    Raises:
        RuntimeError: the store has ended, and with it the process that has it.
    """
    name, began, said_after = f"dcp/barrier/{next(_numbers)}", time.monotonic(), SAID_AFTER_S
    store.set(f"{name}/{rank}", "")
    if store.add(name, 1) == count:
        store.set(f"{name}/all", "")
    while not store.check([f"{name}/all"]):
        if (waited := time.monotonic() - began) >= said_after:
            said_after *= 2
            missing = [str(other) for other in range(count) if not store.check([f"{name}/{other}"])]
            listed = ", ".join(missing[:8]) + (", ..." if len(missing) > 8 else "")
            say(f"still waiting for process {listed} of {count}, for {waited:.0f} s by now")
        time.sleep(POLL_S)
