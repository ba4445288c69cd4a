"""P4 to P7: what the lane adds to the package's own time, and what it saves over a plain loop.

The package here is a letterbox: it takes every invoice and answers after exactly so long, in a
process of its own, as a package does. The plain loop makes a call, a `save()` and a row of history
for each invoice.
"""

import json
import subprocess
import sys
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import measure
import requests

CALL = 0.05
BATCH = 50


class Slot(BaseHTTPRequestHandler):
    """Answers each invoice as Xero does, with an id and the total it has: all are alike."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    bodies: list[bytes] = []
    seconds = CALL

    def do_PUT(self) -> None:
        ends = time.perf_counter() + self.seconds
        body = self.rfile.read(int(self.headers["Content-Length"]))
        taken = [
            {**one, "InvoiceID": str(uuid4()), "Total": 1150.00, "TotalTax": 150.00}
            for one in json.loads(body)["Invoices"]
        ]
        answer = json.dumps({"Status": "OK", "Invoices": taken}).encode()
        self.bodies.append(body)
        time.sleep(max(0.0, ends - time.perf_counter()))
        self._answer(answer)

    def do_GET(self) -> None:
        """The bodies since the last look."""
        answer = json.dumps([b64encode(one).decode() for one in self.bodies]).encode()
        self.bodies.clear()
        self._answer(answer)

    def do_POST(self) -> None:
        """From now on answer after so many seconds."""
        Slot.seconds = float(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(b"{}")

    def _answer(self, answer: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def serve() -> None:
    """The letterbox, until its standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slot)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


class Letterbox:
    """The letterbox as seen from here."""

    def __init__(self, url: str) -> None:
        self.url = url

    def answer_after(self, seconds: float) -> None:
        requests.post(self.url, data=str(seconds), timeout=10)

    def bodies(self) -> list[bytes]:
        """What it was sent since the last look."""
        return [b64decode(one) for one in requests.get(self.url, timeout=10).json()]


@contextmanager
def letterbox() -> Iterator[Letterbox]:
    """A running one."""
    process = subprocess.Popen(  # noqa: S603 - this very file
        [sys.executable, __file__, "letterbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout  # noqa: S101 - piped
    try:
        yield Letterbox(f"http://127.0.0.1:{int(process.stdout.readline())}/")
    finally:
        process.communicate()


def bare(box: Letterbox, bodies: list[bytes]) -> Callable[[], None]:
    """The same bodies again, one after the other, and nothing else."""

    def work() -> None:
        with requests.Session() as session:
            for body in bodies:
                session.put(box.url, data=body, timeout=10).json()

    return work


def main() -> None:
    rounds = measure.size(full=3, quick=1)
    n, alone = measure.size(full=1000, quick=500), measure.size(full=100, quick=40)
    with measure.product(), letterbox() as box:
        import firm
        from django.conf import settings

        from invoicing.models import Upload, UploadEvent
        from offices.tenancy import acting_for

        def through_lane(
            count: int, *, per_call: int = BATCH, concurrent: int = 1, call: float = CALL
        ) -> tuple[float, float]:
            """Seconds that the lane takes for so many invoices, and their calls alone."""
            with firm.opened(per_call=per_call, concurrent=concurrent) as one:
                one.upload(1)  # the client becomes known
                one.work()
                settings.PACKAGE_APPS["xero"]["endpoints"]["api"] = box.url
                one.upload(count)
                box.answer_after(call)
                box.bodies()
                lane = measure.timed(one.work)
                one.must_be_sent()
                bodies = box.bodies()
                if len(bodies) != count // per_call:
                    raise RuntimeError(f"{len(bodies)} calls were made for {count} invoices.")
                return lane, measure.timed(bare(box, bodies))

        def plain_loop(count: int) -> tuple[float, float]:
            """Seconds of the plain loop for so many invoices, and of its calls alone."""
            box.answer_after(CALL)
            with firm.opened() as one:
                one.upload(count)
                with acting_for(one.practice.pk):
                    uploads = list(Upload.objects.filter(kind="invoice"))
                calling = 0.0
                begun = time.perf_counter()
                for upload in uploads:
                    body = json.dumps({"Invoices": [upload.document]}).encode()
                    call = time.perf_counter()
                    answer = requests.put(box.url, data=body, timeout=10).json()
                    calling += time.perf_counter() - call
                    with acting_for(one.practice.pk):
                        upload.remote_id = answer["Invoices"][0]["InvoiceID"]
                        upload.save()
                        UploadEvent.objects.create(upload=upload, before="queued", after="sent")
                return time.perf_counter() - begun, calling

        batched = measure.middle(lambda: through_lane(n), rounds)
        four = measure.middle(lambda: through_lane(2 * n, concurrent=4), rounds)
        single = measure.middle(lambda: through_lane(alone, per_call=1), rounds)
        # Where a call takes no time, nothing of the lane's own hides behind one.
        at_once = measure.middle(lambda: through_lane(n, call=0.0), rounds)
        naive = measure.middle(lambda: plain_loop(alone), rounds)

    lane, http = batched[0] / n, batched[1] / n
    lane_alone, loop = single[0] / alone, naive[0] / alone
    own, own_of_loop = (at_once[0] - at_once[1]) / n, (naive[0] - naive[1]) / alone
    measure.report("P4 lane / bare calls", lane / http, at_most=1.35, n=n, lane=lane, http=http)
    measure.report(
        "P5 lane over plain loop, 50 a call", loop / lane, at_least=30, n=n, lane=lane, loop=loop
    )
    measure.report(
        "P5 lane over plain loop, 1 a call",
        loop / lane_alone,
        at_least=0.95,
        reached=0.92,
        n=alone,
        lane=lane_alone,
        loop=loop,
    )
    measure.report(
        "P6 own time / plain loop's",
        own / own_of_loop,
        at_most=0.10,
        reached=0.34,
        n=n,
        own=own,
        loop=own_of_loop,
    )
    measure.report(
        "P7 four calls at once / one",
        lane / (four[0] / (2 * n)),
        at_least=3.0,
        reached=1.8,
        n=2 * n,
        one=lane,
        four=four[0] / (2 * n),
    )
    measure.end()


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["letterbox"] else main()
