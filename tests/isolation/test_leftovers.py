"""What a host that is killed leaves behind, and who clears it away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.isolation.conftest import plugin
from tests.registry.conftest import Site


def test_what_a_killed_host_left_is_swept_and_nobody_elses(site: Site, home: Path) -> None:
    """Folders of workers whose host lives stay, also where two hosts share a home."""
    plugin(site, "plain", "return os.getpid()")
    code = f"""
import asyncio, os, signal, sys
sys.path[:0] = {[str(site.folder), *sys.path]!r}
from gitu_core import Gitu
from gitu_core.config import Settings
from tests.isolation.conftest import model
from gitu_core.testing import FunctionModel

async def main():
    settings = Settings(home={str(home)!r} + sys.argv[1], plugins={{"plain": {{"enabled": True}}}})
    async with Gitu(model=FunctionModel(model), config=settings) as gitu:
        await gitu.send("plain", user="ana")
        print(*(each for each in os.listdir(settings.home + "/tmp") if not each.endswith(".lock")), flush=True)
        sys.stdin.readline()
        if sys.argv[2:]:
            os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    other, shared = home.parent / "other", home / "tmp"
    other.mkdir()
    shared.mkdir(parents=True)
    (other / "tmp").symlink_to(shared)

    def host(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    with host("", "killed") as killed:
        assert killed.stdout is not None
        (first,) = killed.stdout.readline().split()
        with host("/../other") as living:
            assert living.stdout is not None
            both = living.stdout.readline().split()
            assert first in both
            assert len(both) == 2
            killed.communicate("\n")
            assert first in os.listdir(shared)
            (second,) = set(both) - {first}
            with host("") as third:
                assert third.stdout is not None
                now = third.stdout.readline().split()
                third.communicate("\n")
            assert first not in now
            assert second in now
            living.communicate("\n")
    assert os.listdir(shared) == []
