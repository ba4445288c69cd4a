"""P17: what reading a sealed token costs beside the call it is read for."""

import measure

CALL = 0.05  # seconds an ordinary call to a package takes
TOKEN = "t" * 1200


def main() -> None:
    n = measure.size(full=5000, quick=1000)
    with measure.product():
        from interfaces.sealing import seal, unseal

        sealed = seal(TOKEN)
        (seconds,) = measure.medians(lambda: [unseal(sealed) for _ in range(n)])
    measure.report(
        "P17 sealed token / call", seconds / n / CALL, at_most=0.005, n=n, each=seconds / n
    )
    measure.end()


if __name__ == "__main__":
    main()
