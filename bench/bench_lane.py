"""P4, P5, P6: what the lane adds to the package's own time, and what it saves over a plain loop.

The package here is a letterbox: it takes every invoice and answers after exactly 50 ms. The plain
loop makes a call, a `save()` and a row of history for each invoice.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import measure
import requests

CALL = 0.05
BATCH = 50


class Letterbox(ThreadingHTTPServer):
    """Keeps the bodies it was sent, in their order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Slot)
        self.bodies: list[bytes] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Slot(BaseHTTPRequestHandler):
    """Answers each invoice as Xero does, with an id and the total it has: all are alike."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_PUT(self) -> None:
        ends = time.perf_counter() + CALL
        body = self.rfile.read(int(self.headers["Content-Length"]))
        taken = [
            {**one, "InvoiceID": str(uuid4()), "Total": 1150.00, "TotalTax": 150.00}
            for one in json.loads(body)["Invoices"]
        ]
        answer = json.dumps({"Status": "OK", "Invoices": taken}).encode()
        assert isinstance(self.server, Letterbox)  # noqa: S101 - whose slot this is
        self.server.bodies.append(body)
        time.sleep(max(0.0, ends - time.perf_counter()))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def bare(box: Letterbox, bodies: list[bytes]) -> Callable[[], None]:
    """The same bodies again, one after the other, and nothing else."""

    def work() -> None:
        with requests.Session() as session:
            for body in bodies:
                session.put(f"{box.url}/", data=body, timeout=10).json()

    return work


def main() -> None:
    rounds = measure.size(full=3, quick=1)
    n, alone = measure.size(full=1000, quick=500), measure.size(full=100, quick=40)
    box = Letterbox()
    with measure.product():
        import firm
        from django.conf import settings

        from invoicing.models import Upload, UploadEvent
        from offices.tenancy import acting_for

        def through_lane(count: int, *, per_call: int) -> tuple[float, float]:
            """Seconds that the lane takes for so many invoices, and their calls alone."""
            with firm.opened(per_call=per_call) as one:
                one.upload(1)  # the client becomes known
                one.work()
                settings.PACKAGE_APPS["xero"]["endpoints"]["api"] = box.url
                one.upload(count)
                box.bodies.clear()
                lane = measure.timed(one.work)
                one.must_be_sent()
                bodies = list(box.bodies)
                if len(bodies) != count // per_call:
                    raise RuntimeError(f"{len(bodies)} calls were made for {count} invoices.")
                return lane, measure.timed(bare(box, bodies))

        def plain_loop(count: int) -> tuple[float, float]:
            """Seconds of the plain loop for so many invoices, and of its calls alone."""
            with firm.opened() as one:
                one.upload(count)
                with acting_for(one.practice.pk):
                    uploads = list(Upload.objects.filter(kind="invoice"))
                calling = 0.0
                begun = time.perf_counter()
                for upload in uploads:
                    body = json.dumps({"Invoices": [upload.document]}).encode()
                    call = time.perf_counter()
                    answer = requests.put(f"{box.url}/", data=body, timeout=10).json()
                    calling += time.perf_counter() - call
                    with acting_for(one.practice.pk):
                        upload.remote_id = answer["Invoices"][0]["InvoiceID"]
                        upload.save()
                        UploadEvent.objects.create(upload=upload, before="queued", after="sent")
                return time.perf_counter() - begun, calling

        batched = measure.middle(lambda: through_lane(n, per_call=BATCH), rounds)
        single = measure.middle(lambda: through_lane(alone, per_call=1), rounds)
        naive = measure.middle(lambda: plain_loop(alone), rounds)

    lane, http = batched[0] / n, batched[1] / n
    lane_alone, loop = single[0] / alone, naive[0] / alone
    own, own_of_loop = lane - http, (naive[0] - naive[1]) / alone
    measure.report("P4 lane / bare calls", lane / http, at_most=1.35, n=n, lane=lane, http=http)
    measure.report(
        "P5 lane over plain loop, 50 a call", loop / lane, at_least=30, n=n, lane=lane, loop=loop
    )
    measure.report(
        "P5 lane over plain loop, 1 a call",
        loop / lane_alone,
        at_least=0.95,
        n=alone,
        lane=lane_alone,
        loop=loop,
    )
    measure.report(
        "P6 own time / plain loop's",
        own / own_of_loop,
        at_most=0.10,
        n=n,
        own=own,
        loop=own_of_loop,
    )
    measure.end()


if __name__ == "__main__":
    main()
