from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from dialogue_kit import NOW, read_script

from dialogue.script import Script


@pytest.fixture(scope="session")
def m1() -> Script:
    return read_script("m1_collection")


@pytest.fixture(scope="session")
def m0() -> Script:
    return read_script("m0_reminder")


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def m1_text() -> str:
    return (Path(__file__).parents[2] / "scripts" / "m1_collection.yaml").read_text("utf-8")
