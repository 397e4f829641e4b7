"""A plugin without a manifest is described once, in a child process, after it was enabled."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from gitu_core.registry import jail
from tests.isolation.conftest import fenced
from tests.registry.conftest import TOOL, Make, Site, status

SHOUTS = """
import os
for fd in range(3, 40):
    try:
        os.write(fd, b"{}" * 10)
    except OSError:
        pass
os._exit(0)
"""
ONE = TOOL.format(name="wave")


@pytest.mark.anyio
async def test_one_decorated_function_and_one_entry_point_are_a_plugin(site: Site, make: Make) -> None:
    """Listed with its tool before it runs in this process; a printing module confuses nobody."""
    site.install("one", "print('{\"manifest\": 1}')\n" + ONE, None, value="x_one:wave")
    registry = make()
    (offer,) = registry.offers("tool")
    assert (offer.plugin, offer.contribution.name, offer.contribution.description) == ("one", "wave", "Says wave.")
    assert "x_one" not in sys.modules
    assert status(registry, "one").source in ("child", "fenced")
    assert (await registry.get("tool", "wave")).function() == "wave"


def test_it_is_described_once_for_each_version_of_its_code(
    site: Site, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child is started again only when the code changed, or when `reset` asks for it."""
    home = site.install("one", ONE, None)
    started: list[str] = []
    real = jail.describe_in_child

    def count(found, *rest):  # type: ignore[no-untyped-def]
        started.append(found.name)
        return real(found, *rest)

    monkeypatch.setattr(jail, "describe_in_child", count)
    for _ in range(2):
        assert status(make(), "one").contributions == ("tool:wave",)
    assert started == ["one"]
    (home / "__init__.py").write_text(TOOL.format(name="bow"))
    registry = make()
    assert status(registry, "one").contributions == ("tool:bow",)
    registry.reset("one")
    assert started == ["one"] * 3


def test_nothing_of_it_runs_before_it_is_enabled(site: Site, make: Make) -> None:
    """Not even in the child: installed is not enabled."""
    site.install("one", "raise RuntimeError('it ran')\n" + ONE, None)
    registry = make(enabled=None)
    one = status(registry, "one")
    assert (one.state, one.source, one.contributions) == ("disabled", "", ())
    assert "no manifest" in one.reason
    registry.enable("one")
    assert "it ran" in status(registry, "one").reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("import sys; sys.exit(4)", "SystemExit: 4"),
        ("import os; os._exit(3)", "ended the process (exit code 3)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended the process (signal 11)"),
        (SHOUTS, "ended the process"),
        ("import time\ntime.sleep(30)", "did not end within"),
        (ONE.replace("def wave()", f"def wave(x: str = '{'x' * (1 << 20)}')"), "more than a mebibyte"),
        (ONE.replace("Says", "x" * 10_001), "its description has more than 10000 characters"),
        ("x = 1", "neither hook functions nor tools"),
        ("def gitu_toolz(host): ...", "there is no hook 'gitu_toolz'"),
        ("x = bytearray(1 << 33)", "MemoryError"),
    ],
)  # fmt: skip
def test_whatever_the_child_does_is_trouble_with_a_next_step(site: Site, make: Make, code: str, reason: str) -> None:
    """Raising, exiting, crashing, hanging, shouting: it is broken, says why, and nobody else suffers."""
    site.install("bad", code, None)
    site.tool("good", "nod")
    registry = make(jail_limit=1.5)
    bad = status(registry, "bad")
    assert (bad.state, bool(bad.hint)) == ("broken", True)
    assert reason in bad.reason
    assert status(registry, "good").state == "enabled"


def test_trouble_is_looked_at_again_after_the_next_install(site: Site, make: Make) -> None:
    """A missing dependency may have arrived."""
    site.install("one", "import x_dep\n" + ONE, None)
    assert "No module named 'x_dep'" in status(make(), "one").reason
    site.install("dep", "", None)
    assert status(make(), "one").state == "enabled"


def test_the_child_gets_nothing_of_the_environment(site: Site, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of the host reaches it, and it has no input to wait for."""
    monkeypatch.setenv("SOME_KEY", "secret")
    site.install("env", "import os, sys\nraise ValueError(sorted(os.environ), sys.stdin.read())", None)
    reason = status(make(), "env").reason
    assert "SOME_KEY" not in reason
    assert "PATH" in reason


def test_an_entry_point_with_a_name_that_is_no_id_is_refused(site: Site, make: Make) -> None:
    """The name of the entry point becomes the id, so it must be able to."""
    site.install("one", ONE, None)
    info = next(site.folder.glob("*.dist-info"))
    (info / "entry_points.txt").write_text("[gitu.plugins]\n7 dwarfs = x_one\n")
    (plugin,) = make().plugins()
    assert plugin.state == "broken"
    assert "is not a plugin id" in plugin.reason
    assert plugin.hint


def test_without_a_child_process_the_plugin_is_broken_and_says_so(
    site: Site, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interpreter that cannot be started again is no crash."""
    site.install("one", ONE, None)
    monkeypatch.setattr(sys, "executable", str(site.folder / "no-python"))
    assert "no child process can be started" in status(make(), "one").reason


@fenced
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import socket\nsocket.create_connection(('127.0.0.1', {port}), 1)", "PermissionError"),
        ("open({secret!r}).read()", "PermissionError"),
        ("open(__file__, 'a').write('x')", "PermissionError"),
        ("import os\nos.fork()", "PermissionError"),
        ("import subprocess\nsubprocess.run(['true'])", "PermissionError"),
    ],
)
def test_behind_the_fence_it_reaches_nothing(site: Site, make: Make, tmp_path: Path, code: str, reason: str) -> None:
    """No server of this machine, none of Gitu's own files, no other program, and it writes nothing."""
    secret = tmp_path / "home" / "secret"
    secret.parent.mkdir()
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        site.install("bad", code.format(port=server.getsockname()[1], secret=str(secret)), None)
        bad = status(make(path=[str(site.folder), str(tmp_path)]), "bad")
    assert bad.source == "fenced"
    assert reason in bad.reason
