"""Where the web server listens: who may reach it, and whether the address is free."""

import errno
import socket

from app.errors import Conflict, Invalid
from app.settings import Settings


def listen(settings: Settings) -> socket.socket:
    """The listening socket; raises a sentence where the address is open to others without a token, or taken."""
    if not settings.is_loopback and not settings.token:
        raise Invalid.one("host", f"{settings.host} can be reached by others: set TUNEBOARD_TOKEN, or use 127.0.0.1")
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise _refused(settings, error) from None
    # Inherited by what it accepts. Without it the body of an answer waits 40 ms for the head to be acknowledged, as
    # asyncio turns this on only for sockets that it has made itself.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _refused(settings: Settings, error: OSError) -> Conflict:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"Port {settings.port} on {settings.host} is taken: stop what listens there, "
            "or choose another with --port or TUNEBOARD_PORT."
        )
    return Conflict(f"Cannot listen on {settings.host}, port {settings.port}: {error.strerror}.")


def url(settings: Settings) -> str:
    """The server's address as a browser on this machine writes it."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host.strip("[]") else f"http://{host}:{settings.port}"
