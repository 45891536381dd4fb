"""Every error of the API is a problem+json (RFC 9457) that names the field and the way out."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from voicebot.cases import CasesError
from voicebot.store import NotFound, StoreError, StoreUnavailable

PROBLEM = "application/problem+json"
log = logging.getLogger(__name__)


class FieldError(BaseModel):
    field: str
    message: str


class Problem(BaseModel):
    """What went wrong; `errors` names each field."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    errors: list[FieldError] = []


class Refused(Exception):
    """An answer other than the one that was asked for."""

    def __init__(self, status: int, title: str, detail: str = "", *fields: tuple[str, str]) -> None:
        super().__init__(detail or title)
        self.problem = Problem(
            title=title, status=status, detail=detail, errors=[FieldError(field=f, message=m) for f, m in fields]
        )


def problem_of(status: int, title: str, detail: str = "", errors: list[FieldError] | None = None) -> JSONResponse:
    body = Problem(title=title, status=status, detail=detail, errors=errors or [])
    return JSONResponse(body.model_dump(), status, media_type=PROBLEM)


def install(app: FastAPI) -> None:
    @app.exception_handler(Refused)
    async def refused(request: Request, e: Refused) -> JSONResponse:
        headers = {"WWW-Authenticate": "Bearer"} if e.problem.status == 401 else None
        return JSONResponse(e.problem.model_dump(), e.problem.status, headers, media_type=PROBLEM)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, e: RequestValidationError) -> JSONResponse:
        return problem_of(422, "The request cannot be taken", "see errors", [_field(x) for x in e.errors()])

    @app.exception_handler(HTTPException)
    async def http(request: Request, e: HTTPException) -> JSONResponse:
        answer = problem_of(e.status_code, str(e.detail))
        answer.headers.update(e.headers or {})
        return answer

    @app.exception_handler(NotFound)
    async def not_found(request: Request, e: NotFound) -> JSONResponse:
        return problem_of(404, "Not found", str(e))

    @app.exception_handler(CasesError)
    async def unreadable(request: Request, e: CasesError) -> JSONResponse:
        return problem_of(422, "The file cannot be read", str(e), [FieldError(field="file", message=str(e))])

    @app.exception_handler(StoreError)
    async def store(request: Request, e: StoreError) -> JSONResponse:
        if isinstance(e, StoreUnavailable):
            return problem_of(503, "The database is away", str(e))
        return problem_of(409, "Not as things stand", str(e))

    @app.exception_handler(Exception)
    async def broken(request: Request, e: Exception) -> JSONResponse:
        log.exception("%s %s", request.method, request.url.path)
        return problem_of(500, "A fault of ours", "it is in the server's log")


def _field(error: Any) -> FieldError:
    """body.amount: Input should be greater than 0."""
    return FieldError(field=".".join(str(part) for part in error["loc"]) or "body", message=error["msg"])


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": title, "content": {PROBLEM: {}}}
    for status, title in {
        400: "Not HTTP as it should be",
        401: "No key, or one that does not work",
        403: "The key's scopes do not allow this",
        404: "Not found",
        409: "Not as things stand",
        413: "Too large",
        422: "The request cannot be taken; errors names the fields",
        503: "The database is away",
    }.items()
}
"""For the OpenAPI description of every route."""
