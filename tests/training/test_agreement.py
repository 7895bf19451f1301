"""Several processes, one of which hears a signal or waits for images: all of them do the same at the same step."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from dcp.training.agreement import EVERY, GIVES_UP_S, Agreement
from dcp.training.signals import Signals


class Stub:
    """Stands for a process; what two of them add up they add up together."""

    def __init__(self, shared: dict[str, Any], device: str = "cpu", count: int = 2) -> None:
        self.shared, self.count, self.device = shared, count, torch.device(device)

    def total(self, values: Tensor) -> Tensor:
        with self.shared["lock"]:
            self.shared["asked"].append(values)
        self.shared["here"].wait(30)
        summed = torch.stack(self.shared["asked"]).sum(0)
        if self.shared["here"].wait(30) == 0:
            self.shared["asked"].clear()
        self.shared["here"].wait(30)
        return summed


def two() -> list[Agreement]:
    shared = {"lock": threading.Lock(), "here": threading.Barrier(2), "asked": []}
    return [Agreement(Signals(), Stub(shared)) for _ in range(2)]  # type: ignore[arg-type]


def both(*do: Callable[[], object]) -> list[object]:
    with ThreadPoolExecutor(2) as pool:
        return [future.result(60) for future in [pool.submit(each) for each in do]]


def test_a_signal_that_one_has_heard_stops_both_before_the_same_step() -> None:
    first, second = two()
    second.signals.stop = 143
    assert both(lambda: first.before(3), lambda: second.before(3)) == [(True, False), (True, False)]
    assert (first.signals.stop, second.signals.stop) == (143, 143)


def test_two_that_hear_the_same_signal_and_two_that_hear_others_end_with_what_they_have_heard() -> None:
    first, second = two()
    for codes in ((138, 138), (143, 138)):
        first.signals.stop, second.signals.stop = codes
        assert both(lambda: first.before(3), lambda: second.before(3)) == [(True, False), (True, False)]
        assert (first.signals.stop, second.signals.stop) == codes


def test_who_has_its_images_goes_on_when_the_other_has_them_too() -> None:
    first, second = two()

    def waits() -> list[object]:
        return [second.waits_no_longer(0.2), second.waits_no_longer(0.4), second.before(3)]

    assert both(lambda: first.before(3), waits) == [(False, False), [False, False, (False, False)]]


def test_while_one_waits_for_images_in_vain_a_signal_that_the_other_has_heard_stops_both() -> None:
    first, second = two()

    def waits() -> int:
        times = 1
        while not second.waits_no_longer(0.2 * times):
            times += 1
            if times == 3:
                first.signals.stop = 143
        return times

    stops, times = both(lambda: first.before(3), waits)
    assert stops == (True, False)
    assert times in (3, 4)
    assert second.signals.stop == 143


def test_saving_waits_until_both_have_their_images() -> None:
    first, second = two()
    first.signals.save = True
    found = both(lambda: first.before(3), lambda: (second.waits_no_longer(0.2), second.before(3)))
    assert found == [(False, True), (False, (False, True))]
    assert not first.signals.save


def test_gpus_agree_now_and_then_and_give_up_images_that_do_not_come() -> None:
    alone = Agreement(Signals(), Stub({}, device="cuda"))  # type: ignore[arg-type]
    assert alone.before(EVERY + 1) == (False, False)
    assert not alone.waits_no_longer(2 * GIVES_UP_S)
    alone.signals.stop = 143
    assert not alone.waits_no_longer(0.9 * GIVES_UP_S)
    assert alone.waits_no_longer(GIVES_UP_S)
