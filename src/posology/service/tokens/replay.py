"""Nonces that were seen, until their tokens expire: a token is used once."""

import heapq


class ReplayMemory:
    """Nonces in the memory of one process.

    Several workers need the store's instead, since each has its own memory. When it is full of
    nonces that have not expired, no further token is accepted: forgetting one would allow its
    replay. Only tokens with a right signature come here, so nobody else can fill it.
    """

    __slots__ = ("_capacity", "_queue", "_seen")

    def __init__(self, capacity: int = 500_000) -> None:
        self._capacity = capacity
        self._queue: list[tuple[float, str]] = []
        self._seen: set[str] = set()

    async def is_first_use(self, issuer: str, nonce: str, until: float, now: float) -> bool:
        """Whether this nonce of this issuer was not seen before; it is remembered.

        Args:
            until, now: seconds since 1970.
        """
        key = f"{issuer}\n{nonce}"
        while self._queue and self._queue[0][0] <= now:
            self._seen.discard(heapq.heappop(self._queue)[1])
        if key in self._seen or len(self._seen) >= self._capacity:
            return False
        self._seen.add(key)
        heapq.heappush(self._queue, (until, key))
        return True
