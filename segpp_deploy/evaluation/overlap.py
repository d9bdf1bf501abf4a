"""Reading ahead and writing behind: decoding, inference and encoding at the same time, in threads.

All three leave Python while they work, so that threads are enough. What waits is bounded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

DEPTH = 4
"""Pictures or frames that wait on either side."""


def ahead(items: Iterable[T], depth: int = DEPTH) -> Iterator[T]:
    """Yield items which a thread takes from their source ahead of time; its errors come in their place.

    Example:
        >>> list(ahead(range(3)))
        [0, 1, 2]
    """
    source, end, context = iter(items), object(), copy_context()

    def take() -> object:
        return next(source, end)

    reader = ThreadPoolExecutor(1, "ahead")
    pending: deque[Future[Any]] = deque()
    try:
        while True:
            while len(pending) < depth:
                pending.append(reader.submit(context.run, take))
            item = pending.popleft().result()
            if item is end:
                return
            yield item
    finally:
        reader.shutdown(cancel_futures=True)


class Behind:
    """Calls that a thread makes one after the other, in order, while its owner goes on.

    A call's error is raised by a later call or at the end of the block; what waits then is dropped.
    """

    def __init__(self, depth: int = DEPTH) -> None:
        self._depth = depth
        self._writer = ThreadPoolExecutor(1, "behind")
        self._pending: deque[Future[Any]] = deque()

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Let the thread call a function; waits while too many calls do."""
        while len(self._pending) >= self._depth:
            self._pending.popleft().result()
        self._pending.append(self._writer.submit(copy_context().run, function, *arguments))

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._pending and error is None:
                self._pending.popleft().result()
        finally:
            self._writer.shutdown(cancel_futures=True)
