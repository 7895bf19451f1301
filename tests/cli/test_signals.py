"""Which signals are heard."""

import os
import signal

import pytest

from dcp.signals import Signals


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_closed_terminal_stops_a_run_like_sigterm_but_not_under_nohup():
    before = signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with Signals() as heard:
            os.kill(os.getpid(), signal.SIGHUP)
            assert heard.stop == 143
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with Signals() as heard:
            os.kill(os.getpid(), signal.SIGHUP)
            assert heard.stop == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_is_heard_even_where_a_shell_has_switched_it_off():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as shells do for commands in the background
    try:
        with Signals() as heard:
            os.kill(os.getpid(), signal.SIGINT)
            assert heard.stop == 130
    finally:
        signal.signal(signal.SIGINT, before)
