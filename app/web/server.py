"""The web process: one uvicorn server that ends its live streams before it waits for open connections."""

import asyncio
import contextlib
import gc
import socket
import sys
from types import FrameType

import uvicorn

from app.address import listen
from app.errors import TuneboardError
from app.main import create_app
from app.settings import Settings
from app.web.hub import Hub

# For requests that are under way. Streams end by themselves when the hub closes, uploads when `stopping` is set.
GRACEFUL_SECONDS = 1


class Server(uvicorn.Server):
    """uvicorn waits for connections before it ends the application's lifespan; a live stream would hold it for ever."""

    def __init__(self, config: uvicorn.Config, hub: Hub, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self.hub, self.stopping = hub, stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.hub.close()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.stopping.set()
        await super().shutdown(sockets)


def serve(settings: Settings) -> None:
    """Answer until SIGINT or SIGTERM; raises a sentence where the address cannot be had."""
    listener = listen(settings)
    app = create_app(settings)
    gc.freeze()  # what is loaded now stays: the collector need not walk it, a tenth of a second each time
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SECONDS,
    )
    with contextlib.suppress(KeyboardInterrupt), listener:
        Server(config, app.state.hub, app.state.stopping).run(sockets=[listener])


if __name__ == "__main__":
    try:
        serve(Settings())
    except TuneboardError as refusal:
        sys.exit(str(refusal))
