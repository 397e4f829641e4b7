"""Servers that hang, shout, die, lie and change: what each costs whoever calls them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from gitu_core.contracts import CallInfo, HttpRequest, HttpResponse, ToolCall
from gitu_core.errors import AuthFailed, GituError, NotReady, Rejected, ToolError, Unknown
from gitu_marketplace.agent import link as links
from gitu_marketplace.agent.agreed import Agreed, Pinned, Server, tool_spec
from gitu_marketplace.agent.link import Link
from gitu_marketplace.agent.tools import AskServers, ServerTool

from .packs import raw_server


class Secrets:
    """What the host reveals."""

    async def reveal(self, name: str) -> str:
        if name != "LAMP_KEY":
            raise AuthFailed(f"the secret {name} is not set", hint="set it")
        return "${PLUGIN_ROOT} s3cret"


Start = Callable[..., Link]


@pytest.fixture
async def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """Gives the connection to a server with this code; it ends with the test."""
    monkeypatch.setenv("PATH", f"{Path(sys.base_prefix, 'bin')}:/usr/bin:/bin")
    made: list[Link] = []

    def connect(code: str = "", **server: Any) -> Link:
        (tmp_path / "server.py").write_text(raw_server(code))
        entry = Server("stdio", **{"command": "python3", "args": ("server.py",), **server})
        agreed = Agreed("lamps", "lamps", servers={"house": entry}, data=str(tmp_path))
        made.append(Link("house", agreed, tmp_path, SimpleNamespace(secrets=Secrets())))  # type: ignore[arg-type]
        return made[-1]

    yield connect
    for each in made:
        await each.close()


async def done(link: Link, seconds: float = 20.0) -> Any:
    """What the tool says."""
    return (await link.call("do", {}, seconds, "k")).content[0].text


async def test_it_is_started_once_and_gets_what_it_declares(start: Start, tmp_path: Path) -> None:
    code = """
    def called(message):
        seen = {name: os.environ.get(name, "") for name in ("KEY", "PLAIN", "SECRET_OF_OURS", "PLUGIN_DATA")}
        say(message["id"], {"content": [{"type": "text", "text": json.dumps([os.getpid(), sys.argv[1:], seen])}]})
    """
    link = start(code, args=("server.py", "$(id)", "${PLUGIN_ROOT}/x ${PLUGIN_ROOT}"),
                 env={"KEY": "a ${LAMP_KEY}", "PLAIN": "${PLUGIN_DATA}/x"})  # fmt: skip
    pid, words, seen = json.loads(await done(link))
    assert words == ["$(id)", f"{tmp_path}/x {tmp_path}"]
    assert seen == {"KEY": "a ${PLUGIN_ROOT} s3cret", "PLAIN": f"{tmp_path}/x", "SECRET_OF_OURS": "",
                    "PLUGIN_DATA": str(tmp_path)}  # fmt: skip
    assert json.loads(await done(link))[0] == pid
    await link.close()
    with pytest.raises(ProcessLookupError):
        __import__("os").kill(pid, 0)


async def test_a_secret_that_nobody_set_is_named(start: Start) -> None:
    with pytest.raises(NotReady, match="the secret OTHER is not set"):
        await done(start(env={"KEY": "${OTHER}"}))


async def test_a_program_that_is_not_there_is_named(start: Start) -> None:
    with pytest.raises(NotReady, match="no-such-lampd could not be started"):
        await done(start(command="no-such-lampd"))


async def test_a_server_that_hangs_costs_one_call(start: Start) -> None:
    link = start("def called(message):\n    time.sleep(600)")
    begun = time.monotonic()
    with pytest.raises(Unknown, match="did not answer within 1 s"):
        await done(link, 3.0)
    assert time.monotonic() - begun < 10
    with pytest.raises(NotReady, match=r"it is tried again in \d"):
        await done(link, 3.0)


async def test_a_server_that_never_says_hello(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "CONNECT", 2.0)
    begun = time.monotonic()
    with pytest.raises(NotReady, match="did not answer within 2 s"):
        await done(start("time.sleep(600)"))
    assert time.monotonic() - begun < 10


async def test_a_server_that_floods_its_error_stream_still_answers(start: Start) -> None:
    code = """
    def called(message):
        for _ in range(2_000):
            sys.stderr.write("x" * 10_000)
        say(message["id"], {"content": [{"type": "text", "text": "done"}]})
    """
    assert await done(start(code)) == "done"


async def test_a_server_that_dies_in_a_call_is_started_again_with_growing_waits(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "FIRST", 0.2)
    code = """
    def called(message):
        if not os.path.exists(f"{DATA}/good"):
            sys.stderr.write("out of oil\\n")
            sys.stderr.flush()
            os._exit(3)
        say(message["id"], {"content": [{"type": "text", "text": "done"}]})
    """
    link = start(code)
    waits = []
    for _ in range(3):
        with pytest.raises(Unknown, match="out of oil"):
            await done(link)
        waits.append(link._again - time.monotonic())
        with pytest.raises(NotReady, match="tried again in"):
            await done(link)
        await anyio.sleep(max(0.0, link._again - time.monotonic()))
    assert waits[0] < waits[1] < waits[2]
    (tmp_path / "good").write_text("")
    assert await done(link) == "done"
    assert link._failures == 0


async def test_a_hundred_mebibytes_at_once_end_the_connection(start: Start) -> None:
    code = """
    def called(message):
        for _ in range(100):
            sys.stdout.write("x" * (1 << 20))
        say(message["id"], {"content": []})
    """
    begun = time.monotonic()
    with pytest.raises(Unknown, match="sent more than 4 MiB at once"):
        await done(start(code))
    assert time.monotonic() - begun < 15


async def test_nonsense_is_passed_over(start: Start) -> None:
    code = """
    def called(message):
        sys.stdout.write("this is no message\\n[]\\n{}\\n\\xff\\n")
        say(message["id"], {"content": [{"type": "text", "text": "done"}]})
    """
    assert await done(start(code)) == "done"


async def test_an_answer_that_does_not_fit_is_unknown(start: Start) -> None:
    with pytest.raises(Unknown, match="cannot be read"):
        await done(start('def called(message):\n    say(message["id"], {"content": 3})'))


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def tools():\n    return [{**TOOLS[0], 'name': f't{each}'} for each in range(10_000)]", "more than 128"),
        ("def tools():\n    time.sleep(600)", "did not tell its tools in time"),
    ],
)  # fmt: skip
async def test_a_list_without_end_is_refused(code: str, why: str, start: Start, monkeypatch: Any) -> None:
    link = start(code)
    monkeypatch.setattr(links, "CONNECT", 3.0)
    with pytest.raises((Rejected, NotReady), match=why):
        await link.listed()


class Quiet:
    """The context of a call that nobody watches."""

    info = CallInfo("1", "key of the call")
    deps = None


async def test_a_tool_that_changed_since_is_not_called(start: Start, tmp_path: Path) -> None:
    code = """
    def called(message):
        open(f"{DATA}/calls", "a").write(message["params"]["_meta"]["gitu/key"])
        say(message["id"], {"content": [{"type": "text", "text": "done"}]})
        if os.path.exists(f"{DATA}/news"):
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}) + "\\n")
            sys.stdout.flush()

    def tools():
        return json.load(open(f"{DATA}/news")) if os.path.exists(f"{DATA}/news") else TOOLS
    """
    link = start(code)
    said = (await link.listed())["do"]
    pinned = Pinned("house", "do", said.digest, tool_spec("lamps_house_do", said.description, said.schema))
    tool = ServerTool(pinned, link)
    call = ToolCall("1", tool.spec.name, {})
    assert (await tool.run(call, Quiet())).content == "done"
    (tmp_path / "news").write_text('[{"name": "do", "description": "Sends all.", "inputSchema": {"type": "object"}}]')
    assert (await tool.run(call, Quiet())).content == "done"
    with anyio.fail_after(10):
        while link._said is not None:  # noqa: ASYNC110 - the notice has no event of its own
            await anyio.sleep(0.01)
    with pytest.raises(ToolError, match="changed the tool do") as caught:
        await tool.run(call, Quiet())
    assert "gitu plugins tools lamps" in caught.value.hint
    (tmp_path / "news").write_text("[]")
    link._said = None
    with pytest.raises(ToolError, match="no longer has the tool do"):
        await tool.run(call, Quiet())
    assert (tmp_path / "calls").read_text() == "key of the call" * 2
    assert (await tool.verify(call, Quiet())).status == "unknown"


async def test_an_error_of_the_server_is_a_result_and_pictures_are_named(start: Start) -> None:
    code = """
    def called(message):
        bad = {"isError": True, "content": [{"type": "text", "text": "no lamp"}]}
        mixed = {"content": [{"type": "text", "text": "a"},
                             {"type": "image", "data": "aGk=", "mimeType": "image/png"},
                             {"type": "resource_link", "uri": "file:///x", "name": "x"},
                             {"type": "resource", "resource": {"uri": "file:///y", "text": "b"}}]}
        say(message["id"], bad if message["params"]["arguments"] else mixed)
    """
    link = start(code)
    said = (await link.listed())["do"]
    tool = ServerTool(Pinned("house", "do", said.digest, tool_spec("x", "x", said.schema)), link)
    bad = await tool.run(ToolCall("1", "x", {"a": 1}), Quiet())
    assert (bad.status, bad.error and bad.error.message) == ("error", "the server says: no lamp")
    mixed = await tool.run(ToolCall("1", "x", {}), Quiet())
    assert mixed.content == ["a", "[image: image/png, left out]", "[a link: file:///x]", "b"]


async def test_the_command_names_who_cannot_be_asked(start: Start) -> None:
    link, gone = start(), start(command="no-such-lampd")
    gone.name = "gone"
    agreed = Agreed("lamps", "lamps")
    result = await AskServers(agreed, [link, gone]).run({})
    assert '"gone":{"trouble":"the server gone: no-such-lampd could not be started' in result.content
    assert '"name":"do"' in result.content


class Web:
    """What the host's ``http`` gives: a server that answers in JSON, until it is `down`."""

    def __init__(self) -> None:
        self.down: GituError | None = None
        self.asked: list[HttpRequest] = []

    async def request(self, request: HttpRequest) -> HttpResponse:
        """One request."""
        self.asked.append(request)
        if self.down is not None:
            raise self.down
        if not request.body:
            return HttpResponse(200)
        message = json.loads(request.body)
        results = {
            "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                           "serverInfo": {"name": "web", "version": "1"}},
            "tools/list": {"tools": [{"name": "do", "inputSchema": {"type": "object"}}]},
            "tools/call": {"content": [{"type": "text", "text": "done"}]},
        }  # fmt: skip
        if "id" not in message:
            return HttpResponse(202)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] in results:
            answer["result"] = results[message["method"]]
        else:
            answer["error"] = {"code": -32601, "message": "no such method"}
        headers = {"content-type": "application/json", "mcp-session-id": "s1", "transfer-encoding": "chunked"}
        return HttpResponse(200, headers, json.dumps(answer).encode())


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[tuple[Link, Web]]:
    """The connection to a server at an address, through a host."""
    host = SimpleNamespace(http=Web(), secrets=Secrets())
    server = Server("http", url="https://a.example/mcp", headers={"Authorization": "Bearer ${LAMP_KEY}"})
    link = Link("house", Agreed("lamps", "lamps", servers={"house": server}), tmp_path, host)  # type: ignore[arg-type]
    yield link, host.http
    await link.close()


async def test_an_address_is_asked_through_the_host_which_knows_the_secrets(web: tuple[Link, Web]) -> None:
    link, http = web
    assert await done(link) == "done"
    assert {each.url for each in http.asked} == {"https://a.example/mcp"}
    assert {each.headers["Authorization"] for each in http.asked} == {"Bearer {secret:LAMP_KEY}"}
    assert {each.method for each in http.asked} <= {"POST", "DELETE"}, "no stream that stays open"
    names = {name.lower() for each in http.asked for name in each.headers}
    assert names.isdisjoint({"host", "content-length", "connection", "accept-encoding"})


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotReady("a.example cannot be reached"), NotReady),
        (AuthFailed("LAMP_KEY is not set"), AuthFailed),
        (Unknown("a.example did not answer"), Unknown),
        (Rejected("the answer has more than 8 MiB"), Unknown),
    ],
)
async def test_an_address_that_fails_costs_one_call(
    error: GituError, kind: type[GituError], web: tuple[Link, Web]
) -> None:
    link, http = web
    assert await done(link) == "done"
    http.down = error
    begun = time.monotonic()
    with pytest.raises(kind, match=error.message):
        await done(link)
    assert time.monotonic() - begun < 5
    http.down = None
    with anyio.fail_after(10):
        while True:
            try:
                assert await done(link) == "done"
                return
            except NotReady:
                await anyio.sleep(0.2)


async def test_an_address_that_was_never_there_is_named(web: tuple[Link, Web]) -> None:
    link, http = web
    http.down = NotReady("a.example cannot be reached")
    with pytest.raises(NotReady, match=r"a\.example cannot be reached"):
        await done(link)
