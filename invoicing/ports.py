"""Whether a port can be listened on, asked before anything is started on it."""

import socket


class PortTaken(Exception):
    """Something else listens there, or it is not allowed; the message is the port's number."""


def free_port(host: str, port: int) -> int:
    """The port, or some free one for 0. Raises PortTaken."""
    try:
        with socket.create_server((host, port)) as found:
            return int(found.getsockname()[1])
    except (OSError, OverflowError):
        raise PortTaken(str(port)) from None
