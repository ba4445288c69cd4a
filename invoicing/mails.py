"""How mail is sent that must come once: noted as sent before it leaves, and never on a guess.

What surely did not leave may be tried again; what may have left is not.
"""

import logging
import smtplib
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from interfaces.models import Lane

log = logging.getLogger("invoicing.mails")


class MailAway(Exception):
    """The mail server cannot be reached, so nothing has left."""


class NotSent(Exception):
    """This mail surely did not leave, and may be taken later."""


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A plain mail to one person."""

    to: str
    subject: str
    body: str


class Post:
    """One connection for all mail of a run, opened by the first that is `ready` to be sent."""

    def __init__(self) -> None:
        self._connection: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hang_up()

    def ready(self) -> None:
        """Reach the mail server, before anything is noted as sent. Raises MailAway."""
        if self._connection is not None:
            return
        connection = get_connection()
        try:
            connection.open()
        except OSError as error:
            raise MailAway(type(error).__name__) from error
        self._connection = connection

    def send(self, mail: Mail) -> None:
        """Send it. Raises NotSent. What was refused for good, or may have left, is only logged."""
        message = EmailMessage(
            mail.subject, mail.body, None, [mail.to], connection=self._connection
        )
        try:
            message.send()
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            self._hang_up()
            if _is_temporary(error):
                raise NotSent(type(error).__name__) from error
            log.error("mail refused error=%s", type(error).__name__)
        except OSError as error:
            self._hang_up()
            log.error("mail may not have left error=%s", type(error).__name__)

    def _hang_up(self) -> None:
        """What a server has closed, after so many mails say, takes none of those that follow."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _is_temporary(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> bool:
    if isinstance(error, smtplib.SMTPResponseException):
        return 400 <= int(error.smtp_code) < 500
    codes = [code for code, _ in error.recipients.values()]
    return all(400 <= code < 500 for code in codes)


def practices() -> list[int]:
    """The practices that have interfaces at all."""
    lanes = Lane.objects.order_by("practice_id").values_list("practice_id", flat=True)
    return list(lanes.distinct())


def address_of(path: str) -> str:
    """The address of a page, as it is clicked in a mail."""
    return f"{settings.SITE_URL}{path}"
