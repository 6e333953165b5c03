"""Who sent a request, for its record. Who may ask for what is not decided here."""

from __future__ import annotations

from starlette.requests import Request

from ragline.search.recording import RequestOrigin

# A service that asks for many people names each of them by an id of its own.
CLIENT_HEADER = "X-Client-ID"
KEY_HEADERS = ("Authorization", "X-API-Key")
MAX_CLIENT_CHARS = 4_096


def find_request_origin(request: Request) -> RequestOrigin:
    """The trace, the tenant and the client of a request, as far as they are known.

    The client is the key that was sent, else the address, together with the X-Client-ID that the
    caller gives. The tenant is in `request.state.tenant` and a key that came in another way in
    `request.state.token`, where something before has put them there.
    """
    keys = (request.headers[name] for name in KEY_HEADERS if name in request.headers)
    key = getattr(request.state, "token", None) or next(keys, None)
    address = request.client.host if request.client else ""
    named = request.headers.get(CLIENT_HEADER, "")
    client = f"{key or address}\n{named}"[:MAX_CLIENT_CHARS]
    state = request.state
    return RequestOrigin(
        trace_id=getattr(state, "trace_id", None),
        tenant=getattr(state, "tenant", None),
        client=None if client == "\n" else client,
    )
