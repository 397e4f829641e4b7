"""The pytest plugin blocks real models, offers its fixtures, and leaves other projects alone."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, source: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs *source* as a test file in a pytest process of its own."""
    (folder / "test_it.py").write_text(textwrap.dedent(source))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GITU_", "COV_", "PYTEST"))}
    environ |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "gitu_core.testing.plugin"]
    return subprocess.run(
        [*command, *options], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


BLOCKED = """
    import os
    import pytest
    from gitu_core.testing import blocked

    @pytest.fixture
    def seen():
        return blocked()

    def test_plain(seen):
        assert (seen, blocked()) == (EXPECTED, EXPECTED)

    @pytest.mark.real_models
    def test_marked(seen):
        assert (seen, blocked()) == (False, False)

    def test_after(seen):
        assert (seen, blocked()) == (EXPECTED, EXPECTED)
"""


def test_models_are_blocked_except_where_a_test_is_marked(tmp_path: Path) -> None:
    """Fixtures of a marked test are let through too; the marker is known to strict runs."""
    result = run(tmp_path, BLOCKED.replace("EXPECTED", "True"), "--strict-markers")
    assert "3 passed" in result.stdout, result.stdout


def test_the_command_line_can_allow_models(tmp_path: Path) -> None:
    """For a whole run, even where the environment blocks."""
    result = run(tmp_path, BLOCKED.replace("EXPECTED", "False"), "--gitu-allow-models", GITU_BLOCK_MODELS="1")
    assert "3 passed" in result.stdout, result.stdout


def test_the_fixtures_are_there_and_do_what_they_say(tmp_path: Path) -> None:
    """A fresh home in the environment, a clock, a script, a server; also for tests that are not async."""
    result = run(
        tmp_path,
        """
        import json, os, urllib.request
        from pathlib import Path
        from gitu_core.testing import FakeClock, ScriptedModel

        def test_home(gitu_home, tmp_path):
            assert Path(os.environ["GITU_HOME"]) == gitu_home and gitu_home.is_dir()
            assert "GITU_MODEL" not in os.environ

        def test_clock(fake_clock):
            assert isinstance(fake_clock, FakeClock)

        def test_model(scripted_model):
            assert isinstance(scripted_model, ScriptedModel)

        def test_server(model_server):
            body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
            url = model_server.url + "/chat/completions"
            request = urllib.request.Request(
                url, json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            answer = json.load(urllib.request.urlopen(request))
            assert answer["choices"][0]["message"]["content"] == "echo: hi"
        """,
        GITU_MODEL="somebody/elses",
    )
    assert "4 passed" in result.stdout, result.stdout


def test_a_scripted_model_with_unused_replies_fails_its_test(tmp_path: Path) -> None:
    """The fixture asserts at its end."""
    result = run(tmp_path, "def test_it(scripted_model):\n    scripted_model.add('never said')\n")
    assert "1 of 1 scripted replies were not used" in result.stdout
    assert "1 passed, 1 error" in result.stdout


def test_loading_the_plugin_loads_nothing_heavy() -> None:
    """Every project with Gitu installed pays for this import in each test run."""
    code = (
        "import sys, pytest; before = set(sys.modules); import gitu_core.testing.plugin\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"aiohttp", "anyio", "hypothesis", "msgspec", "pydantic", "sqlalchemy", "asyncio"}
    assert heavy.isdisjoint(loaded.stdout.split()), loaded.stdout
    assert "gitu_core" in loaded.stdout.split()


def test_the_environment_is_as_before_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested switches put back what they found."""
    from gitu_core.testing import blocked
    from gitu_core.testing.blocking import VARIABLE, blocking

    monkeypatch.delenv(VARIABLE, raising=False)
    with blocking(True):
        assert blocked()
        with blocking(False):
            assert not blocked()
        assert blocked()
    assert VARIABLE not in os.environ
    for value, expected in (("1", True), ("true", True), ("0", False), ("FALSE", False), (" ", False)):
        monkeypatch.setenv(VARIABLE, value)
        assert blocked() is expected


def test_every_name_of_the_kit_can_be_had() -> None:
    """The lazy names exist, and a wrong one fails like any other attribute."""
    import gitu_core.testing as kit

    assert [name for name in kit.__all__ if getattr(kit, name) is None] == []
    assert set(dir(kit)) == set(kit.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = kit.Nothing
