"""Start several processes on this machine through Accelerate; signals go in, an exit code comes out."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from torch.multiprocessing.spawn import ProcessExitedException


def launch(work: Callable[[], int], processes: int, device: str) -> int:
    """Run `work` in so many processes that train together, and return the first exit code that is not 0.

    Args:
        work: runs in each process and returns its exit code; Accelerate finds its rank in the environment.
        processes: how many.
        device: "cpu" or "cuda".
    """
    from accelerate import debug_launcher, notebook_launcher

    before = {number: signal.signal(number, _pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if device == "cpu":
            debug_launcher(_Worker(work), num_processes=processes)
        else:
            notebook_launcher(_Worker(work), num_processes=processes, use_port="0")
    except ProcessExitedException as error:
        return int(error.exit_code)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


class _Worker:
    """What each process runs; with the signals as a fresh process has them."""

    def __init__(self, work: Callable[[], int]) -> None:
        self.work = work

    def __call__(self) -> None:
        import torch

        if torch.distributed.is_initialized():  # Accelerate's launcher for CPUs leaves the rank out of the environment
            os.environ["RANK"] = str(torch.distributed.get_rank())
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.stdout.flush()
        os._exit(self._coded())

    def _coded(self) -> int:
        code = self.work()
        sys.stdout.flush()
        sys.stderr.flush()
        return code


def _pass_on(number: int, frame: FrameType | None) -> None:
    """SIGTERM goes to the workers; Ctrl-C has reached them already, the terminal sends it to all."""
    if number == signal.SIGTERM:
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGTERM)
