"""The whole product in half a minute: a practice, a rehearsal Xero, and one upload."""

import os
import shutil
import signal
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.utils import timezone

from invoicing.demo import journey, stage
from invoicing.demo.journey import Cast, WentWrong
from invoicing.demo.practice import Story, tell
from invoicing.demo.stage import Stage
from invoicing.models import Upload
from invoicing.ports import PortTaken, free_port
from invoicing.uploads.states import State

WORDS = {State.SENT: "Sent", State.REFUSED: "Failed", State.NEEDS_PERSON: "Failed"}


class Command(BaseCommand):
    """`manage.py demo`, or `make demo`."""

    help = (
        "Send an invented practice's invoices to a rehearsal Xero and show what became of each,"
        " then serve the pages until Ctrl-C. Starts clean each time; keeps to loopback."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="end after the table")
        parser.add_argument(
            "--unconnected",
            action="store_true",
            help="stop before anything is set up, to connect the rehearsal Xero by hand",
        )
        parser.add_argument("--port", type=int, default=8000, help="of the pages (default: 8000)")
        parser.add_argument(
            "--standin-port", type=int, default=4700, help="of the rehearsal Xero (default: 4700)"
        )
        parser.add_argument(
            "--rehearsal-port",
            type=int,
            default=0,
            help="of what is rehearsed from its pages (default: a free one)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMBEDDED and not stage.is_inside():
            raise CommandError(
                "The demo runs on a database of its own. Unset DATABASE_URL and REDIS_URL first."
            )
        if not stage.is_inside():
            self._start(options["port"], options["standin_port"], options["rehearsal_port"])
        try:
            self._play(options)
        except PortTaken as error:
            raise CommandError(_taken(str(error))) from None
        except WentWrong as error:
            raise CommandError(f"The demo stopped. {error}") from None
        finally:
            if stage.is_inside():
                connections.close_all()
                shutil.rmtree(settings.VAR, ignore_errors=True)

    def _start(self, port: int, standin_port: int, rehearsal_port: int) -> None:
        try:
            port = free_port(stage.HOST, port)
            standin_port = free_port(stage.HOST, standin_port)
            rehearsal_port = free_port(stage.HOST, rehearsal_port)
        except PortTaken as error:
            raise CommandError(_taken(str(error))) from None
        _start_inside(port=port, standin_port=standin_port, rehearsal_port=rehearsal_port)

    def _play(self, options: Mapping[str, Any]) -> None:
        once = options["once"]
        self.stdout.write("Making an empty database ...")
        call_command("migrate", verbosity=0)
        with stage.set_up(port=options["port"], standin_port=options["standin_port"]) as running:
            story = tell(timezone.localdate())
            self.stdout.write("Abtrac sends the practice over the REST API ...")
            cast = journey.take_in_practice()
            journey.send_over_api(stage=running, cast=cast, story=story)
            if options["unconnected"]:
                self._leave_to_the_visitor(running, cast, once=once)
                return
            self.stdout.write("An admin connects Xero step by step, and goes live ...")
            journey.connect(stage=running, cast=cast, story=story)
            journey.spoil(stage=running, story=story)
            self.stdout.write("An accounts person presses Upload to accounts ...")
            number = journey.upload(stage=running, cast=cast)
            self._tell(cast, number)
            self._compare(running, story, must_agree=once)
            if not once:
                self._serve(running, cast, f"batches/{number}/")

    def _tell(self, cast: Cast, number: int) -> None:
        uploads = journey.documents_of(cast, number)
        self.stdout.write(f"\nBatch {number}\n")
        heads = ("Number", "Client", "Total", "Became")
        lines = [heads, *(_line(one) for one in uploads)]
        widths = [max(len(line[column]) for line in lines) for column in range(4)]
        for number_of, client, total, became in lines:
            self.stdout.write(
                f"{number_of:{widths[0]}}  {client:{widths[1]}}  {total:>{widths[2]}}  {became}"
            )
        for one in uploads:
            if one.state != State.SENT:
                self.stdout.write(f"\n{one.document['number']} failed: {one.reason}")
                self.stdout.write(f"  Next step: {one.next_step}")
        sent = [one for one in uploads if one.state == State.SENT]
        failed = len(uploads) - len(sent)
        write_offs, drafts = journey.not_offered(cast)
        self.stdout.write(
            f"\nOf {len(uploads)} committed invoices {len(sent)} sent, {failed} failed."
        )
        self.stdout.write(
            f"Not offered: write-offs {', '.join(write_offs)} (zero value), and {drafts} drafts."
        )

    def _compare(self, running: Stage, story: Story, *, must_agree: bool) -> None:
        wrong = journey.differences(stage=running, story=story)
        if wrong and must_agree:
            raise CommandError("Xero does not hold what it should: " + "; ".join(wrong))
        if wrong:
            self.stderr.write("Xero does not hold what it should: " + "; ".join(wrong))
            return
        total = sum(
            (Decimal(one["total"]) for one in story.invoices if one["number"] in story.expected),
            Decimal(0),
        )
        self.stdout.write(
            f"The rehearsal Xero holds exactly those {len(story.expected)} documents, each at our"
            f" total; less the credit notes they come to NZD {total:,.2f}."
        )

    def _leave_to_the_visitor(self, running: Stage, cast: Cast, *, once: bool) -> None:
        self.stdout.write("Nothing is connected yet. Log in as the admin and choose a package.")
        if not once:
            self._serve(running, cast, "interfaces/")

    def _serve(self, running: Stage, cast: Cast, page: str) -> None:
        address = f"{running.url}/{cast.practice.slug}/accounting/{page}"
        self.stdout.write(f"\nLook at it: {address}")
        for one in cast.log_ins:
            self.stdout.write(f"  {one.role:9} {one.email:26} {one.password}")
        self.stdout.write(f"The rehearsal Xero is at {running.standin.url}. Ctrl-C ends it all.\n")
        self.stdout.flush()
        over = threading.Event()
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: over.set())
        over.wait()
        self.stdout.write("\nStopping.")


def _line(upload: Upload) -> tuple[str, str, str, str]:
    assert upload.invoice is not None  # noqa: S101 - documents name their invoice
    return (
        upload.invoice.number,
        upload.invoice.client.name,
        f"{upload.invoice.total:,.2f}",
        WORDS.get(State(upload.state), upload.get_state_display()),
    )


def _taken(port: str) -> str:
    return (
        f"Port {port} cannot be used: something else listens there, or it is not allowed. End that,"
        " or choose other ports: make demo ARGS='--port 8001 --standin-port 4701'"
    )


def _start_inside(*, port: int, standin_port: int, rehearsal_port: int) -> None:
    """Begin again in an environment of the demo's own, with an empty folder of its own."""
    # One for each port of the pages, so that a demo that is running keeps its own.
    folder = Path(settings.VAR) / f"demo-{port}"
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise CommandError(
            f"The folder {folder} cannot be emptied ({error.strerror}). Remove it, then try again."
        ) from None
    others = ("XERO_", "REHEARSAL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    standin = f"http://{stage.HOST}:{standin_port}"
    own = {
        "LINK_DEMO": "1",
        "VAR_DIR": str(folder),
        "SITE_URL": f"http://localhost:{port}",
        "CREDENTIAL_KEYS": Fernet.generate_key().decode(),
        "XERO_CLIENT_ID": "standin-client",
        "XERO_CLIENT_SECRET": "standin-secret",
        "XERO_LOGIN_URL": standin,
        "XERO_IDENTITY_URL": standin,
        "XERO_API_URL": standin,
        "REHEARSAL_URL": f"http://localhost:{rehearsal_port}",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "ERROR"),
    }
    words = [
        sys.executable,
        *sys.argv[:2],
        "--port",
        str(port),
        "--standin-port",
        str(standin_port),
    ]
    words += [word for word in ("--once", "--unconnected") if word in sys.argv]
    sys.stdout.flush()
    os.execve(sys.executable, words, {**kept, **own})  # noqa: S606 - this same program
