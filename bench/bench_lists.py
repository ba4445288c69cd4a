"""P9: a page of each list where there are a million invoices, and where there are a thousand.

The whole answer is timed, of the first page and of the one in the middle, which is come to by its
place in the order as people come to it. A third practice is as practices are: nearly all it has is
older than its go-live date or was sent long ago.
"""

from collections.abc import Callable
from statistics import median
from typing import Any

import measure


def main() -> None:
    total = measure.size(full=1_000_000, quick=100_000)
    rounds = measure.size(full=15, quick=3)
    with measure.product():
        import crowd
        from django.conf import settings
        from django.test import Client

        from abtrac_link.loading import load_for_good

        settings.REQUIRE_TOTP = False
        # As the files lie in the tree: nothing is collected first.
        plain = "django.contrib.staticfiles.storage.StaticFilesStorage"
        settings.STORAGES["staticfiles"]["BACKEND"] = plain
        load_for_good()  # as a web process has
        practices = crowd.made(total)
        browsers = {}
        for name, one in practices.items():
            browsers[name] = Client(headers={"host": "localhost"})
            browsers[name].force_login(one.user)

        def look(name: str, address: str) -> Callable[[], Any]:
            def work() -> None:
                answer = browsers[name].get(f"/{practices[name].slug}/accounting/{address}")
                if answer.status_code != 200 or b"<td" not in answer.content:
                    raise RuntimeError(f"{address} was answered by {answer.status_code}.")

            return work

        for path, table in crowd.LISTS.items():
            for many in crowd.WHERE[path]:
                for page in ("first", "middle"):
                    places = [
                        "" if page == "first" else f"?after={practices[name].middle_of(table)}"
                        for name in ("few", many)
                    ]
                    arms = look("few", path + places[0]), look(many, path + places[1])
                    taken: list[list[float]] = [[], []]
                    for turn in range(rounds + 1):
                        for seconds, arm in zip(taken, arms, strict=True):
                            spent = measure.timed(arm)
                            if turn:  # the first loads what a running server has loaded
                                seconds.append(spent)
                    small, large = median(taken[0]), median(taken[1])
                    measure.report(
                        f"P9 {table} {many}, {page} page / with 1,000",
                        large / small,
                        at_most=2,
                        n=total,
                        few=small,
                        many=large,
                    )
    measure.end()


if __name__ == "__main__":
    main()
