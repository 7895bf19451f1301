"""malloc: have glibc keep the memory that every step frees and takes again.

By itself glibc returns large blocks to the system at once, which zeroes them page by page when they are asked for
again: a training on CPUs spent up to a tenth of its time on that, an evaluation a quarter (docs/dev/performance.md).
"""

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -2, -3, -4  # of malloc.h
# No block is a mapping of its own, and what is free is not given back. Threads other than the main one have heaps of
# 64 MiB, which they keep by the padding.
KEEP = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: 64 * 2**20}
# what glibc's own thresholds grow to where large blocks are freed
GIVE_BACK = {M_MMAP_MAX: 65536, M_MMAP_THRESHOLD: 32 * 2**20, M_TRIM_THRESHOLD: 64 * 2**20, M_TOP_PAD: 128 * 2**10}


def keep_freed_memory() -> None:
    """Set it for this process, for good; its forked children, which decode images, give back what they free.

    Nothing happens with another C library, nor where the user has tuned malloc through the environment.
    """
    if platform.libc_ver()[0] != "glibc" or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    mallopt = ctypes.CDLL(None).mallopt
    for option, value in KEEP.items():
        mallopt(option, value)
    os.register_at_fork(after_in_child=lambda: [mallopt(option, value) for option, value in GIVE_BACK.items()])
