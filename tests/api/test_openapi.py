"""Schemathesis against our own OpenAPI description: no fault of ours, and every answer as described."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from voicebot.api.app import create_app
from voicebot.settings import Settings
from voicebot.store import open_store

# A schema cannot say that a strategy must be installed, or that 2026-11-27 must lie after something: 422 says it.
EXAMPLES = 25  # of each operation, valid and invalid ones


@pytest.fixture(scope="module")
def schema() -> Iterator[schemathesis.schemas.BaseSchema]:
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 1 << 30
    with (
        TemporaryDirectory(prefix="voicebot-test-", dir=memory if roomy else None, ignore_cleanup_errors=True) as home,
        open_store(Settings(home=Path(home))) as store,
    ):
        key = store.create_key("schemathesis", ["admin"])
        store.create_campaign("m1", "default")
        found = schemathesis.openapi.from_asgi("/api/v1/openapi.json", create_app(store, Settings()))
        found.config.headers = {"Authorization": f"Bearer {key}"}
        yield found


def test_no_fault_of_ours_and_every_error_a_problem_that_names_the_field(
    schema: schemathesis.schemas.BaseSchema,
) -> None:
    asked: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        mode = schemathesis.GenerationMode
        for generation in (mode.POSITIVE, mode.NEGATIVE):

            @given(case=operation.as_strategy(generation_mode=generation))
            @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
            def check(case: schemathesis.Case) -> None:
                answer = case.call()
                asked.setdefault(case.operation.label, set()).add(answer.status_code)
                assert answer.status_code < 500, answer.text
                case.validate_response(answer, excluded_checks=[positive_data_acceptance, negative_data_rejection])
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == ["application/problem+json"], answer.headers
                    told = answer.json()
                    assert told["title"] and told["status"] == answer.status_code
                    if answer.status_code == 422:
                        assert told["errors"] and all(e["field"] and e["message"] for e in told["errors"])

            try:
                check()
            except Unsatisfiable:
                assert generation is mode.NEGATIVE  # nothing can be wrong with it
            except Exception as e:
                e.add_note(f"{operation.label}, {generation}")
                raise
    assert len(asked) >= 20 and any(200 in codes for codes in asked.values())
