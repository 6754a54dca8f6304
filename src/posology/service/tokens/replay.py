"""Nonces that were seen, until their tokens expire: a token is used once."""

import hashlib
import heapq
from collections.abc import Awaitable, Callable, Iterable

Keep = Callable[[str, float, float], Awaitable[bool]]
"""Keeps a hashed nonce until a moment, the third being now; False if another process has it."""


async def keep_nothing(_key: str, _until: float, _now: float) -> bool:
    """One process alone, which forgets when it ends."""
    return True


class ReplayMemory:
    """Nonces in the memory of one process; `keep` has them for its next start and for others.

    When it is full of nonces that have not expired, no further token is accepted: forgetting one
    would allow its replay. Only tokens with a right signature come here, so nobody else can fill
    it.
    """

    __slots__ = ("_capacity", "_keep", "_queue", "_seen")

    def __init__(
        self,
        capacity: int = 500_000,
        keep: Keep = keep_nothing,
        known: Iterable[tuple[str, float]] = (),
    ) -> None:
        self._capacity, self._keep = capacity, keep
        self._queue = [(until, key) for key, until in known]
        heapq.heapify(self._queue)
        self._seen = {key for _, key in self._queue}

    async def is_first_use(self, issuer: str, nonce: str, until: float, now: float) -> bool:
        """Whether this nonce of this issuer was not seen before; it is remembered.

        Args:
            until, now: seconds since 1970.
        """
        key = hashlib.sha256(f"{issuer}\n{nonce}".encode()).hexdigest()
        while self._queue and self._queue[0][0] <= now:
            self._seen.discard(heapq.heappop(self._queue)[1])
        if key in self._seen or len(self._seen) >= self._capacity:
            return False
        self._seen.add(key)
        heapq.heappush(self._queue, (until, key))
        return await self._keep(key, until, now)
