"""Who asks, may they, and did they ask before?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from voicebot.api.problems import Refused
from voicebot.store import Store
from voicebot.store.keys import Answer, ApiKey

IDEMPOTENCY = "Idempotency-Key"
LONGEST_KEY = 200
_bearer = HTTPBearer(auto_error=False, description="An API key: voicebot api create-key NAME")


def store_of(request: Request) -> Store:
    store = request.app.state.store
    assert isinstance(store, Store)
    return store


StoreDep = Annotated[Store, Depends(store_of)]


def allowed(scope: str) -> Any:
    """A dependency that lets keys with that scope, or admin, pass."""

    def check(
        store: StoreDep, given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None
    ) -> ApiKey:
        key = store.owner_of(given.credentials) if given is not None else None
        if key is None:
            raise Refused(401, "No key, or one that does not work", "send Authorization: Bearer <key>")
        if scope not in key.scopes and "admin" not in key.scopes:
            raise Refused(403, f"The key {key.name} may not do this", f"it needs the scope {scope}")
        return key

    return Depends(check)


READ, WRITE, ADMIN = allowed("read"), allowed("write"), allowed("admin")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class OnceRoute(APIRoute):
    """A POST with an Idempotency-Key is carried out once; asked again, it is answered as it was the first time."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def once(request: Request) -> Response:
            key = request.headers.get(IDEMPOTENCY)
            if request.method != "POST" or key is None:
                return await handle(request)
            if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
                wrong = (f"header.{IDEMPOTENCY}", f"1 to {LONGEST_KEY} printable characters expected")
                raise Refused(422, "The request cannot be taken", "see errors", wrong)
            store = store_of(request)
            owner = await run_in_threadpool(store.owner_of, _bearer_of(request))
            if owner is None:
                return await handle(request)  # says what is wrong with the key
            asked = hashlib.sha256(f"{request.url.path}?{request.url.query}\n".encode() + await request.body())
            before = await run_in_threadpool(store.open_request, owner.key_id, key, asked.hexdigest())
            if before is not None:
                return _again(before, asked.hexdigest())
            answer: Answer | None = None
            try:
                response = await handle(request)
                if response.status_code < 500:
                    content = response.headers.get("content-type", "application/json")
                    answer = Answer(asked.hexdigest(), response.status_code, content, bytes(response.body))
                return response
            finally:
                await run_in_threadpool(store.close_request, owner.key_id, key, answer)

        return once


def _again(before: Answer, asked: str) -> Response:
    if before.sha256 != asked:
        wrong = (f"header.{IDEMPOTENCY}", "was used for another request; take a new one")
        raise Refused(422, "The request cannot be taken", "see errors", wrong)
    if before.status is None:
        raise Refused(409, "The same request is being carried out", "ask again in a moment")
    return Response(before.body, before.status, {"Idempotent-Replay": "true"}, before.content_type)


def _bearer_of(request: Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key if scheme.lower() == "bearer" else ""
