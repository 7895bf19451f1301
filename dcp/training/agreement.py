"""Agreement: processes that train together obey signals at the same step, whichever of them has heard one."""

import torch

from dcp.errors import STOPPED
from dcp.hardware.processes import Process
from dcp.training.signals import Signals

EVERY = 10  # steps between two agreements of several GPUs; each has to be waited for
GIVES_UP_S = 5.0  # without an image read, after which one of several GPUs that is to stop no longer waits for one


class Agreement:
    """What the processes do about the signals that they hear.

    Several CPUs agree before each step, with those that still wait for images too, so that all of them stop between
    the same two steps even where an image is waited for in vain. That would hold up GPUs, which agree now and then.

    Args:
        signals: that this process hears.
        process: this one.

    Attributes:
        always: whether they agree before each step.
    """

    def __init__(self, signals: Signals, process: Process) -> None:
        self.signals, self.process = signals, process
        self.always = process.count == 1 or process.device.type == "cpu"

    def before(self, step: int) -> tuple[bool, bool]:
        """(whether to stop, whether to save) before `step`; `signals.stop` is then the exit code in every process."""
        if not self.always and step % EVERY:
            return False, False
        waits = True
        while waits:  # for the images of another process
            stop, save, waits = self._agree(waiting=False)
            if stop:
                return True, False
        return False, save

    def waits_no_longer(self, waited: float) -> bool:
        """Whether not to wait for a batch any more, after `waited` seconds in which no image was read."""
        if self.process.count > 1 and self.always:
            return self._agree(waiting=True)[0]
        return bool(self.signals.stop) and (self.process.count == 1 or waited >= GIVES_UP_S)

    def _agree(self, *, waiting: bool) -> tuple[bool, bool, bool]:
        """(whether to stop, whether to save, whether one waits for images), the same in all processes."""
        signals, process = self.signals, self.process
        save, signals.save = signals.save, False
        if process.count == 1:
            return bool(signals.stop), save, waiting
        votes = [*(int(signals.stop == code) for code in STOPPED), int(save), int(waiting)]
        *stops, saves, waits = process.total(torch.tensor(votes, device=process.device)).tolist()
        stop = next((code for code, heard in zip(STOPPED, stops, strict=True) if heard), 0)
        signals.stop = signals.stop or stop
        if waits:  # all of them have to be there to save
            signals.save |= save
        return bool(stop), bool(saves), bool(waits)
