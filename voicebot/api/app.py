"""The application: routes, errors, health. `create_app(store, settings)` for a server or a test."""

from __future__ import annotations

from fastapi import FastAPI, Request
from pydantic import BaseModel

from voicebot.api import problems
from voicebot.api.routes import router
from voicebot.settings import Settings
from voicebot.store import Store


class Health(BaseModel):
    """`database`: whether it answers."""

    database: bool


def create_app(store: Store, settings: Settings) -> FastAPI:
    app = FastAPI(
        title="voicebot",
        version="1",
        description="An open voice robot for loan collection: batches, campaigns, calls, promises, permits.",
        docs_url="/api/docs",
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.store = store
    app.state.settings = settings
    problems.install(app)
    app.include_router(router)

    @app.get("/api/v1/health", tags=["health"], response_model=Health, responses=problems.ERRORS)
    def health(request: Request) -> Health:
        """Is the service there, and its database? Needs no key."""
        store.campaigns()
        return Health(database=True)

    return app
