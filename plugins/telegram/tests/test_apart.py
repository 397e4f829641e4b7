"""The plugin as people run it who trust it with nothing: in a process of its own behind the fence, on `gitu serve`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from .fake import TOKEN, Fake

LIBRARIES = ("telegram", "httpx", "httpcore", "h11", "certifi", "markdown_it", "mdurl")
CLOUD = "https://api.telegram.org"


def installed(fake: Fake, site: Path) -> None:
    """The plugin and its libraries as an installer puts them side by side, with the fake server for Telegram's."""
    for name in ("gitu_telegram", *LIBRARIES):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        shutil.copytree(Path(spec.origin).parent, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file, host in (("gitu-plugin.toml", CLOUD.removeprefix("https://")), ("settings.py", CLOUD)):
        text = (site / "gitu_telegram" / file).read_text()
        assert f'"{host}"' in text
        (site / "gitu_telegram" / file).write_text(text.replace(f'"{host}"', f'"{fake.url}"'))
    about = site / "gitu_telegram-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gitu-telegram\nVersion: 0.1.0\n")
    (about / "entry_points.txt").write_text("[gitu.plugins]\ntelegram = gitu_telegram\n")
    files = [each.name for each in (site / "gitu_telegram").iterdir()]
    (about / "RECORD").write_text("".join(f"gitu_telegram/{name},,\n" for name in files))


def children(pid: int) -> list[str]:
    """The command lines of a process's children."""
    found = subprocess.run(["ps", "--ppid", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return found.stdout.splitlines()


def test_it_answers_from_a_process_of_its_own_and_ends_soon(fake: Fake, tmp_path: Path) -> None:
    installed(fake, tmp_path / "site")
    home = tmp_path / "home"
    home.mkdir()
    settings = '[plugins.telegram]\nenabled = true\npoll_seconds = 1\n[channels.telegram]\naccess = "open"\n'
    (home / "gitu.toml").write_text(settings)
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, sys.path)])
    given = {**os.environ, "PYTHONPATH": path, "GITU_HOME": str(home), "TELEGRAM_BOT_TOKEN": TOKEN}
    fake.say("what is 2 plus 3?")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gitu_core", "serve"], env=given, cwd=home, stdout=log, stderr=log
        )
        try:
            until = time.monotonic() + 20
            while not fake.shown() and time.monotonic() < until:
                time.sleep(0.02)
            alone = children(process.pid)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()
    said = (tmp_path / "log").read_text()
    assert fake.shown() == ["2 plus 3 = 5"], said
    assert any("-I -B -S" in each for each in alone), f"it did not run in a process of its own: {alone}"
    assert TOKEN not in said
