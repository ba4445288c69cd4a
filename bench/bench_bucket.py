"""P1: how much of a rate limit is used while uploads wait, and that it is never overstepped.

Eight workers want calls to one interface as fast as they may. Each call is noted with the
moments its bucket was last asked and had answered: a window is overstepped only if it surely was.
"""

import threading
import time
from datetime import timedelta

import measure

WORKERS = 8
CALLS, PER = 25, 1.0


def most_in(grants: list[tuple[float, float]], window: float) -> int:
    """The most calls granted within any such window for certain."""
    return max(
        sum(first <= asked and granted < first + window for asked, granted in grants)
        for first, _ in grants
    )


def main() -> None:
    seconds = measure.size(full=6, quick=3)
    with measure.product():
        from django.conf import settings
        from django.db import connection

        from connectors.base.protocol import Limits, Package, RateLimit, Scope
        from interfaces.limits import SharedLimiter

        limit = RateLimit(
            name="second", calls=CALLS, per=timedelta(seconds=PER), scope=Scope.INTERFACE
        )
        # The key names this run: what an earlier one left in Redis is another bucket.
        package = Package(
            key=f"bench-{time.time_ns()}",
            label="Bench",
            connector=object,
            limits=Limits(rates=(limit,)),
        )
        grants: list[tuple[float, float]] = []
        begun = time.perf_counter()

        def work() -> None:
            asked = [0.0]

            def sleep(wait: float) -> None:
                time.sleep(wait)
                asked[0] = time.perf_counter()

            limiter = SharedLimiter(1, 1, package, 60.0, sleep=sleep)
            while True:
                asked[0] = time.perf_counter()
                limiter.acquire()
                granted = time.perf_counter()
                if granted - begun > seconds:
                    connection.close()
                    return
                grants.append((asked[0], granted))

        workers = [threading.Thread(target=work) for _ in range(WORKERS)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        store = "database row" if settings.EMBEDDED else "redis"

    # What the limit allows in that time: all of it at once, and again after each second.
    bound = CALLS * seconds
    share = len(grants) / bound
    measure.report(
        f"P1 share of the limit, {store}", share, at_least=0.95, n=len(grants), bound=bound
    )
    measure.report(
        f"P1 fullest window, {store}", most_in(grants, PER) / CALLS, at_most=1.0, n=len(grants)
    )
    measure.end()


if __name__ == "__main__":
    main()
