"""Work of the coming items, done in threads while the caller is busy with the present one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from capdec_core.device import cores

MOST_THREADS = 16

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetched(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order, while threads are already at the next ones.

    What reads files, decodes pictures or resizes them runs in parallel, for it does not hold the interpreter; so
    does whatever the caller computes in torch. At most one result a thread waits. An exception of `work` is raised
    where its result was due.
    """
    threads = min(cores(), MOST_THREADS)
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
