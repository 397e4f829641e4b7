"""What docs/devices.md says is what there is: its commands, its times, its paths, its program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from gitu_core.errors import InputError
from gitu_web.auth import rest
from gitu_web.auth.codes import LENGTH, LINK, PAIRING
from gitu_web.auth.commands import WebCommand
from gitu_web.auth.devices import ACCESS, DAY, GRACE, LASTS
from gitu_web.auth.pairings import SECONDS

from .house import House, served

pytestmark = pytest.mark.anyio
TEXT = (Path(__file__).parents[3] / "docs" / "devices.md").read_text("utf-8")


def rows(head: str) -> list[list[str]]:
    """The rows of the table whose head begins with a word."""
    lines = TEXT[TEXT.index(f"| {head} |") :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("| ").split(" | ")] for line in lines]


def test_its_times_are_those_of_the_code() -> None:
    times = {what: said for what, said, _ in rows("What")}
    minutes = {"a code": PAIRING, "a link": LINK, "a question by picture": SECONDS, "an access credential": ACCESS}
    days = {"a refresh credential": "app", "a browser's visit": "browser", "a key": "key"}
    for what, seconds in minutes.items():
        assert times[what].startswith(f"{seconds / 60:.0f} minutes")
    for what, kind in days.items():
        assert times[what].startswith(f"{LASTS[kind] / DAY:.0f} days")  # type: ignore[index]
    assert set(times) == {*minutes, *days}
    assert (GRACE, LENGTH, LASTS["terminal"]) == (DAY, 10, LASTS["app"])
    house = House()
    for tries in (house.doors.guesses, house.doors.made):
        assert (tries._most, tries._seconds) == (10, PAIRING)


def test_its_paths_are_those_of_the_code() -> None:
    found = {(method, path) for method, path, _ in rows("Method")}
    assert found == {(each.method, each.path) for each in rest.operations()}


async def test_its_commands_are_understood() -> None:
    command = WebCommand(House().host)  # type: ignore[arg-type]
    found = [said.removeprefix("gitu web ").replace("NAME", "program").split() for said, *_ in rows("Command")]
    assert ["unlink", "DEVICE"] in found
    found.remove(["unlink", "DEVICE"])
    for words in found:
        assert (await command.run({"words": words})).status == "ok"
    with pytest.raises(InputError, match="no device"):
        await command.run({"words": ["unlink", "DEVICE"]})


async def test_its_program_signs_in_and_goes_on() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(code, namespace)  # noqa: S102 - our own page
    house = House()
    async with served(house) as url, httpx.AsyncClient(base_url=url) as client:
        from anyio import to_thread

        typed = await house.doors.codes.make("local", ("chat",))
        session = await to_thread.run_sync(namespace["Session"], url, typed)
        for _ in range(3):
            assert (await client.get("/v1/auth/status", headers=session.headers)).json()["name"] == "my program"
            await to_thread.run_sync(session.renew)
