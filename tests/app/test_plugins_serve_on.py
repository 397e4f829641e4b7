"""Broken plugins beside healthy ones: each is told by name with its reason, and everything else serves on."""

from __future__ import annotations

import ensurepip
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gitu_core import Gitu
from gitu_core.config import Settings
from gitu_core.testing import ScriptedModel, call
from tests.cli.driver import Cli
from tests.registry.conftest import TOOL, Site, tool_manifest
from tests.wheels import write_wheel

HANDS_OVER = "\ndef gitu_tools(host):\n    return [{0}]\n"

REASONS = {
    "bad-import": "the axle broke",
    "bad-toml": "gitu-plugin.toml",
    "disagrees": "disagrees with the code",
    "misspelled": "no hook 'gitu_tolls'",
    "hangs": "did not end within",
    "too-new": "needs contract tool 99",
    "leaves": "SystemExit",
}
"""Every broken plugin, and what has to be said about it."""

WIND = (
    "from gitu_core import tool\n\n\n@tool\ndef wind_chill(temperature: float, speed: float) -> str:\n"
    '    """Tells the wind chill for a temperature in degrees and a wind speed."""\n'
    '    return f"It feels like {temperature - speed / 5:g} degrees."\n'
)


def install_all(site: Site) -> None:
    """Everything that can be wrong with a plugin, and one with which nothing is."""
    says = TOOL.format(name="say") + HANDS_OVER.format("say")
    site.install("bad-import", "raise RuntimeError('the axle broke')", tool_manifest("axle"))
    site.install("bad-toml", says, "[contracts\n")
    site.install("disagrees", says, tool_manifest("another"))
    site.install("misspelled", "def gitu_tolls(host):\n    return []\n", manifest=None)
    site.install(
        "hangs",
        "import time\nfrom gitu_core import hook\n" + TOOL.format(name="nap")
        + "\n@hook(timeout=0.3)\ndef gitu_tools(host):\n    time.sleep(30)\n",
        tool_manifest("nap"),
    )  # fmt: skip
    site.install("too-new", says, tool_manifest("say").replace("tool = 1", "tool = 99"))
    site.install("leaves", "import sys\nsys.exit('good-bye')", manifest=None)
    site.install(
        "lantern",
        'from gitu_core import tool\n\n@tool\ndef lantern_colour(number: int) -> str:\n'
        '    """Tells the colour of a lantern by its number."""\n    return f"Lantern {number} is green."\n',
        manifest=None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A folder with all of them."""
    site = Site(tmp_path_factory.mktemp("installed"))
    install_all(site)
    return site


@pytest.fixture(scope="module")
def cli(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """`gitu` with all of them enabled."""
    cli = Cli(tmp_path_factory.mktemp("assistant"), site.folder)
    cli.configure("".join(f"[plugins.{id}]\nenabled = true\n" for id in (*REASONS, "lantern")))
    return cli


def assert_told(found: dict[str, tuple[str, str]]) -> None:
    """Each broken plugin is told with its reason and a next step."""
    for id, reason in REASONS.items():
        said, hint = found[id]
        assert reason in said, id
        assert hint, id


def test_the_listing_names_each_with_reason_and_next_step(cli: Cli) -> None:
    listed = {each["id"]: each for each in json.loads(cli.run("plugins", "--json").stdout)}
    assert_told({id: (listed[id]["reason"], listed[id]["hint"]) for id in REASONS})
    states = {id: listed[id]["state"] for id in REASONS}
    assert states["too-new"] == "incompatible"
    assert set(states.values()) <= {"broken", "quarantined", "incompatible"}
    assert {listed[id]["state"] for id in ("lantern", "basics", "offline", "terminal")} == {"enabled"}


def test_the_doctor_names_each_with_reason_and_next_step_and_fails(cli: Cli) -> None:
    found = {each["what"]: each for each in json.loads(cli.run("doctor", "--json", status=1).stdout)}
    told = {id: found[f"plugin {id}"] for id in REASONS}
    assert {each["state"] for each in told.values()} == {"failed"}
    assert_told({id: (each["detail"], each["hint"]) for id, each in told.items()})
    healthy = ("gitu", "home", "store", "model", "plugin lantern", "plugin basics")
    assert {found[each]["state"] for each in healthy} == {"ok"}


def test_a_question_is_still_answered_with_the_healthy_tools(cli: Cli) -> None:
    assert "Lantern 7 is green." in cli.run("ask", "Tell me the colour of lantern number 7").stdout
    assert "2+2*10 = 22" in cli.run("ask", "2+2*10").stdout


@pytest.mark.anyio
async def test_an_embedded_assistant_serves_on_just_the_same(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(site.folder))
    settings = Settings(home=str(home), plugins={id: {"enabled": True} for id in (*REASONS, "lantern")})
    model = ScriptedModel([call("lantern_colour", number=3), call("axle"), lambda request: request.messages[-1].text])
    async with Gitu(model=model, config=settings, use=["*"]) as gitu:
        reply = await gitu.send("go", user="u")
        assert reply.results[0].content == "Lantern 3 is green."
        assert reply.results[1].status == "error"
        assert "axle" in reply.text
        states = {each.id: each for each in gitu.house.registry.plugins()}
        assert states["bad-import"].state == "quarantined"
        assert "the axle broke" in states["bad-import"].reason
        assert states["lantern"].active
        offered = {tool.name for tool in model.requests[0].tools}
    assert {"clock", "calculate", "lantern_colour"} <= offered


def install_wheel(wheel: Path, target: Path) -> None:
    """Installs it with whatever installer there is."""
    words = ["install", "--quiet", "--no-index", "--no-deps", "--target", str(target), str(wheel)]
    uv, bundled = shutil.which("uv"), [*Path(ensurepip.__file__).parent.glob("_bundled/pip-*.whl")]
    if importlib.util.find_spec("pip"):
        installer = [sys.executable, "-m", "pip"]
    elif uv:
        installer = [uv, "pip"]
    elif bundled:
        installer = [sys.executable, str(bundled[0] / "pip")]
    else:
        pytest.skip("no installer: install uv, or put pip into this environment")
    subprocess.run([*installer, *words], check=True, capture_output=True)


def test_a_tool_from_a_real_wheel_is_chosen_and_answers_once_it_is_enabled(tmp_path: Path) -> None:
    target = tmp_path / "target"
    files = {"wind_chill.py": WIND}
    install_wheel(write_wheel(tmp_path, "wind-chill", "1.0", files, entry="wind = wind_chill:wind_chill"), target)
    cli = Cli(tmp_path / "here", target)
    question = "What is the wind chill for a temperature of 10 degrees and a speed of 20?"
    assert "It feels like" not in cli.run("ask", question).stdout
    cli.run("plugins", "enable", "wind")
    assert "It feels like 6 degrees." in cli.run("ask", question).stdout
