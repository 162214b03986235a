"""The web process: one uvicorn server that ends its live streams before it waits for open connections."""

import contextlib
import socket
from types import FrameType

import uvicorn

from app.main import create_app
from app.settings import Settings
from app.web.hub import Hub

# Second line of defence: streams end by themselves when the hub closes.
GRACEFUL_SECONDS = 3


class Server(uvicorn.Server):
    """uvicorn waits for connections before it ends the application's lifespan; a live stream would hold it for ever."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self.hub = hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.hub.close()
        super().handle_exit(sig, frame)


def serve(settings: Settings) -> None:
    """Answer until SIGINT or SIGTERM; SystemExit with one line where it cannot start."""
    if not settings.is_loopback and not settings.token:
        raise SystemExit(
            f"{settings.host} can be reached by others: set TUNEBOARD_TOKEN first, or listen on 127.0.0.1."
        )
    listener = _listen(settings)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    with contextlib.suppress(KeyboardInterrupt), listener:
        Server(config, app.state.hub).run(sockets=[listener])


def _listen(settings: Settings) -> socket.socket:
    host = settings.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SystemExit(
            f"Cannot listen on {settings.host}, port {settings.port} ({error.strerror}): "
            "choose another with --port or TUNEBOARD_PORT."
        ) from None
