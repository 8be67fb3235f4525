"""What every request passes first: the token, the origin, the size of its body."""

import base64
import binascii
import hmac
import json
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bdmm.serve.settings import LOOPBACK, MIB

OPEN = ("/healthz",)
"""Paths that need no token."""
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"frame-ancestors 'self'"),
]


class Guard:
    """Wraps an application, so that nothing reaches it unchecked.

    Without a token only names of this machine are answered to, so that no page of another site
    can reach the server through a name of its own. Requests that change something must not come
    from a page of another site.

    Args:
        token: what clients must know: as a bearer token, or as the password of any user, for which
            browsers ask; None for none.
        most: bytes of a body.
    """

    def __init__(self, app: ASGIApp, token: str | None, most: int) -> None:
        self._app = app
        self._token = None if token is None else token.encode()
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that may not pass; let any other through."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close"})
            return
        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        if refused is not None:
            await _answer(send, *refused)
            return
        await self._pass_on(scope, receive, send)

    def _refusal(
        self, scope: Scope, headers: Headers
    ) -> tuple[int, str, list[tuple[bytes, bytes]]] | None:
        host = headers.get("host", "")
        origin = headers.get("origin")
        if self._token is None and _hostname(f"//{host}") not in LOOPBACK:
            return 403, "Without a token this server answers on this machine alone.", []
        if scope["method"] not in _SAFE and origin is not None and urlsplit(origin).netloc != host:
            return 403, "Requests from pages of other sites are not answered.", []
        if scope["path"] not in OPEN and not self._knows_token(headers.get("authorization", "")):
            asking = [(b"www-authenticate", b'Basic realm="bdmm: the token is the password"')]
            return 401, "The token is missing or wrong.", asking
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > self._most:
            return 413, self._too_large, [(b"connection", b"close")]
        return None

    @property
    def _too_large(self) -> str:
        return f"The files have more than {self._most // MIB} MiB together: send smaller ones."

    def _knows_token(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        secret = given.strip().encode()
        if scheme.lower() == "basic":
            try:
                secret = base64.b64decode(secret, validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                return False
        elif scheme.lower() != "bearer":
            return False
        return hmac.compare_digest(secret, self._token)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            # The application takes the rest for lost, and what it answers is replaced below.
            return {"type": "http.disconnect"} if read > self._most else message

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            if read <= self._most:
                await send(message)

        with suppress(ClientDisconnect):
            await self._app(scope, counted, send_on)
        if read > self._most:
            await _answer(send, 413, self._too_large, [(b"connection", b"close")])


def _hostname(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


async def _answer(
    send: Send, status: int, sentence: str, headers: Iterable[tuple[bytes, bytes]]
) -> None:
    body = json.dumps({"detail": sentence}).encode()
    first = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*first, *headers, *_HEADERS],
        }
    )
    await send({"type": "http.response.body", "body": body})
