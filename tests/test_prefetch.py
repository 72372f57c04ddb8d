"""Work ahead of its use: in order, bounded, errors where they belong."""

import os
import threading

import pytest

from capdec_core.encoders.prefetch import prefetched


def test_results_come_in_order_though_later_ones_are_ready_first() -> None:
    released = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            released.wait(timeout=20)
        if item == 1:
            released.set()
        return item * item

    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core has one thread: nothing can be ready before the first")
    assert list(prefetched(work, range(50))) == [item * item for item in range(50)]


def test_no_more_waits_than_there_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    begun: list[int] = []
    results = prefetched(begun.append, range(100))
    next(results)
    next(results)
    assert len(begun) <= 5
    results.close()


def test_an_error_is_raised_where_its_result_was_due() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise OSError("no such picture")
        return item

    results = prefetched(work, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="no such picture"):
        next(results)


def test_nothing_to_do_is_nothing() -> None:
    assert list(prefetched(str, [])) == []
