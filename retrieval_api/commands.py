"""The command `ragline serve`. It runs the retrieval service until SIGINT or SIGTERM."""

from __future__ import annotations

import signal
import socket
from types import FrameType
from typing import TYPE_CHECKING

import click

from ragline.commands import configured
from ragline.errors import AddressUnavailableError

if TYPE_CHECKING:
    import uvicorn

    from ragline.configuration import Configuration

# How long running requests may continue after the signal to stop.
GRACE_S = 10
# This is longer than the usual 60 s of load balancers and client pools, so that the client closes
# an idle connection. If the service closed the connection, a request on its way would fail.
KEEP_ALIVE_S = 75

_STOPPING = (signal.SIGINT, signal.SIGTERM)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 chooses a free port.",
)
@configured
def serve(configuration: Configuration, host: str, port: int) -> None:
    """Run the retrieval API and the search page until SIGINT or SIGTERM."""
    # FastAPI and the libraries of the models take seconds to import. So these imports come after
    # the checks of the options and of the configuration.
    from retrieval_api.observation.log_format import configure_logging
    from retrieval_api.observation.telemetry import exported_telemetry

    configure_logging()
    with _listen(host, port) as listener:
        address = listener.getsockname()
        click.echo(
            f"Ragline answers on {_url(address)} (documentation: {_url(address)}/docs)", err=True
        )
        with exported_telemetry():
            run_server(build_server(configuration), listener)


def build_server(configuration: Configuration) -> uvicorn.Server:
    """Build the server of the app. The app itself writes the log of requests."""
    import uvicorn

    from retrieval_api.app import build_app

    return uvicorn.Server(
        uvicorn.Config(
            build_app(configuration),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
        )
    )


def run_server(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, finish the running requests, and return.

    uvicorn raises the signal again after it has stopped. A requested stop is not a failure, so
    that second signal is ignored.
    """
    handlers = {number: signal.signal(number, _ignore_signal) for number in _STOPPING}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _ignore_signal(_number: int, _frame: FrameType | None) -> None:
    pass


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise AddressUnavailableError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port or --host"
        ) from error


def _url(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
