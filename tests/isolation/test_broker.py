"""Requests and files that the host does for plugins: to what they declared, and nowhere else."""

from __future__ import annotations

import base64
import contextlib
import gzip
import html
import http.server
import json
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitu_core.broker.network import Network, _without
from gitu_core.broker.roots import Roots
from gitu_core.contracts import HttpRequest
from gitu_core.errors import Denied, GituError, InputError, NotReady, Rejected, Unknown
from gitu_core.manifest import Capabilities, Manifest, SecretNeed

SECRETS = {"KEY": "pl4nted-secret", "OTHER": "another-secret"}


def network(*declared: str, secrets: tuple[SecretNeed, ...] = ()) -> Network:
    """A plugin's network."""
    manifest = Manifest("shop", capabilities=Capabilities(network=declared, secrets=secrets))
    return Network(manifest, SECRETS.__getitem__)


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answers with what it was asked, or does what the path says."""
        seen = self.server.seen  # type: ignore[attr-defined]
        seen.append((self.path, dict(self.headers)))
        status, body, more = 200, repr(dict(self.headers)).encode(), {}
        if self.path.startswith("/to/"):
            status, more = 302, {"Location": self.path[4:]}
        elif self.path == "/large":
            body = b"x" * (9 << 20)
        elif self.path == "/drip":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(100):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.1)
            return
        elif self.path == "/gone":
            self.connection.close()
            return
        elif self.path == "/garbled":
            self.wfile.write(b"NO HTTP AT ALL: " + self.headers["X-Key"].encode() + b"\r\n\r\n")
            return
        elif self.path == "/coded":
            key = self.headers["X-Key"].encode()
            body, more = base64.b64encode(b"key=" + key), {"X-" + key.hex(): base64.b64encode(b"x" + key).decode()}
        elif self.path == "/packed":
            body, more = gzip.compress(body), {"Content-Encoding": "gzip"}
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[Any]:
    """A real server on this machine; `seen` is what it was asked for."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Handler) as served:
        served.daemon_threads = True
        served.seen = []  # type: ignore[attr-defined]
        served.at = f"localhost:{served.server_address[1]}"  # type: ignore[attr-defined]
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()


@pytest.mark.parametrize(
    ("declared", "url"),
    [
        ("api.example.org", "https://api.example.org/x"),
        ("api.example.org", "https://API.example.org./x"),
        ("*.example.org", "https://a.b.example.org/"),
        ("*", "https://anything.example/"),
        ("api.example.org:8443", "https://api.example.org:8443/"),
        ("http://api.example.org", "http://api.example.org/"),
    ],
)
def test_what_is_declared_may_be_asked(declared: str, url: str) -> None:
    assert network(declared)._split(url).geturl() == url


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/", "https://evil-api.example.org/", "https://api.example.org.evil.example/",
        "http://api.example.org/", "https://api.example.org:444/", "https://evil.example/?api.example.org",
        "https://evil.example#api.example.org",
    ],
)  # fmt: skip
def test_what_is_not_declared_is_refused(url: str) -> None:
    with pytest.raises(Denied, match="does not declare") as refused:
        network("api.example.org").request(HttpRequest(url))
    assert "gitu-plugin.toml" in refused.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "", "api.example.org", "ftp://api.example.org/", "file:///etc/passwd", "https://user@api.example.org/",
        "https://api.example.org/\r\nHost: evil", "https://api.example.org:x/", "https://[::1/", "https:///x", "https://:secret@api.example.org/",
    ],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InputError, match="is no URL"):
        network("*").request(HttpRequest(url))


@given(st.text(max_size=60))
def test_no_text_passes_that_is_not_the_declared_host(text: str) -> None:
    try:
        parts = network("api.example.org")._split(f"https://{text}")
    except GituError:
        return
    assert (parts.hostname or "").rstrip(".") == "api.example.org"


INSIDE = (
    "127.0.0.1 10.0.0.1 169.254.169.254 192.168.1.1 ::1 fe80::1 0.0.0.0 ::ffff:10.0.0.1 64:ff9b::a9fe:a9fe "
    "2002:a9fe:a9fe::1 ::a9fe:a9fe 64:ff9b:1::1 224.0.0.1 ff02::1"
)


@pytest.mark.parametrize("address", INSIDE.split())
def test_a_name_that_leads_inside_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does when somebody makes a public name point to a private address."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Denied, match="an address inside of this network or machine"):
        network("api.example.org", "*").request(HttpRequest("https://api.example.org/"))


def test_a_name_is_looked_up_once_and_that_is_where_the_connection_goes(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that changes its mind between the check and the connection gains nothing by it."""
    answers = iter(["127.0.0.1", "169.254.169.254"])
    real = socket.getaddrinfo

    def look(host: str, port: int, *rest: Any, **more: Any) -> Any:
        return real(next(answers) if host == "localhost" else host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look)
    at = f"http://{server.at}"
    assert network(at).request(HttpRequest(at + "/x")).status == 200
    assert next(answers) == "169.254.169.254"


def test_a_redirect_is_followed_where_it_was_declared_and_refused_elsewhere(server: Any) -> None:
    at = f"http://{server.at}"
    assert network(at).request(HttpRequest(f"{at}/to/{at}/end")).status == 200
    for goal in ("http://169.254.169.254/latest", "http://127.0.0.1:1/", "https://evil.example/", "file:///etc/passwd"):
        with pytest.raises((Denied, InputError)):
            network(at).request(HttpRequest(f"{at}/to/{goal}"))
    path = "/end"
    for _ in range(8):
        path = f"/to/{at}{path}"
    with pytest.raises(Rejected, match="more than 5 times"):
        network(at).request(HttpRequest(at + path))
    assert network(at).request(HttpRequest(f"{at}/to/{at}/end", method="POST")).status == 302


def test_a_secret_goes_only_where_it_may_and_never_comes_back(server: Any) -> None:
    at = f"http://{server.at}"
    need = (SecretNeed("KEY"), SecretNeed("OTHER", audience=("api.example.org",)), SecretNeed("SHOWN", mode="revealed"))
    asked = network(at, "api.example.org", secrets=need)
    answer = asked.request(HttpRequest(at + "/x", headers={"Authorization": "Bearer {secret:KEY}"}))
    assert server.seen[-1][1]["Authorization"] == "Bearer pl4nted-secret"
    assert b"pl4nted-secret" not in answer.body
    assert b"Bearer [KEY]" in answer.body
    for name, reason in {"OTHER": "is not meant for", "SHOWN": "as injected", "NONE": "as injected"}.items():
        with pytest.raises(Denied, match=reason):
            asked.request(HttpRequest(at + "/x", headers={"X": f"{{secret:{name}}}"}))


SPELLINGS: dict[str, Callable[[str], bytes]] = {
    "as it is": str.encode,
    "upper case": lambda secret: secret.upper().encode(),
    "hex": lambda secret: secret.encode().hex().encode(),
    "upper hex": lambda secret: secret.encode().hex().upper().encode(),
    "url": lambda secret: quote(secret, safe="").encode(),
    "lower url": lambda secret: quote(secret, safe="").lower().encode(),
    "form": lambda secret: quote_plus(secret).encode(),
    "url twice": lambda secret: quote(quote(secret, safe=""), safe="").encode(),
    "url, all of it": lambda secret: "".join(f"%{each:02X}" for each in secret.encode()).encode(),
    "json": lambda secret: json.dumps(secret)[1:-1].encode(),
    "json twice": lambda secret: json.dumps(json.dumps(secret))[3:-3].encode(),
    "json, all of it": lambda secret: "".join(f"\\u{ord(each):04X}" for each in secret).encode(),
    "html": lambda secret: html.escape(secret).encode(),
    "html, all of it": lambda secret: "".join(f"&#{ord(each)};" for each in secret).encode(),
    "html, hex": lambda secret: "".join(f"&#x{ord(each):X};" for each in secret).encode(),
    "python": lambda secret: repr(secret)[1:-1].encode(),
}
"""How a server may write a secret, always the whole of it."""

AMONG: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "base64 for urls": base64.urlsafe_b64encode,
    "base64 in json": lambda data: base64.b64encode(data).replace(b"/", b"\\/"),
    "base64 in a url": lambda data: quote(base64.b64encode(data), safe="").encode(),
    "hex": lambda data: data.hex().encode(),
}
"""How a server may write something with a secret in it."""


@pytest.mark.parametrize("secret", ['pl4nted-s"ecre/t+<&>x y', "pässwort-für-alle", "0123456789abcdef", "k" * 200])
@pytest.mark.parametrize("how", SPELLINGS)
def test_an_answer_repeats_a_secret_in_no_usual_spelling(how: str, secret: str) -> None:
    if how == "upper case":
        secret = secret.encode("ascii", "ignore").decode()
    written = SPELLINGS[how](secret)
    assert _without(b"<" + written + b"> and <" + written + b">", {"KEY": secret}) == b"<[KEY]> and <[KEY]>"


@settings(deadline=None)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=["Cc"]), min_size=6, max_size=60),
    st.sampled_from(list(SPELLINGS)),
)
def test_whatever_the_secret_no_spelling_of_it_comes_back(secret: str, how: str) -> None:
    written = SPELLINGS[how](secret)
    came = _without(b"<" + written + b">", {"K": secret})
    if how != "upper case" or secret.isascii():
        assert written not in came


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:" * 12])
@pytest.mark.parametrize("how", AMONG)
def test_a_secret_is_seen_as_a_part_of_something_longer(how: str, before: str) -> None:
    secret = "pl4nted-secret-of-some-length"
    for after in ("", "c", "cd", "cde" * 20):
        written = AMONG[how]((before + secret + after).encode())
        came = _without(b"<" + written + b">", {"KEY": secret})
        assert b"[KEY]" in came
        assert len(came) <= len(written) - len(secret) * 4 // 3 + 16


def test_what_looks_alike_stays_and_looking_takes_no_time() -> None:
    shown = {"KEY": "pl4nted-secret", "SHORT": "ab"}
    for text in (b"pl4nted-secre", b"planted-secret", b'{"a": "100%", "b": "C:\\\\new", "c": "&amp;"}'):
        assert _without(text, shown) == text
    assert _without(b"crab", shown) == b"cr[SHORT]"
    began = time.monotonic()
    for filler in (b"x", b"%41", b"\\", b"\\u0041", b"pl4nted-secre"):
        assert _without(filler * ((8 << 20) // len(filler)) + b"pl4nted-secret", shown).endswith(b"[KEY]")
    assert time.monotonic() - began < 30


def test_neither_an_answer_nor_an_error_repeats_a_secret(server: Any) -> None:
    at = f"http://{server.at}"
    asked, headers = network(at, secrets=(SecretNeed("KEY"),)), {"X-Key": "{secret:KEY}", "Accept-Encoding": "gzip"}
    answer = asked.request(HttpRequest(f"{at}/coded", headers=headers))
    assert "[KEY]" in "".join(answer.headers)
    assert "[KEY]" in "".join(answer.headers.values())
    assert b"[KEY]" in answer.body
    assert "gzip" not in server.seen[-1][1]["Accept-Encoding"]
    with pytest.raises(Rejected, match="packed"):
        asked.request(HttpRequest(f"{at}/packed", headers=headers))
    assert gzip.decompress(asked.request(HttpRequest(f"{at}/packed")).body)
    for path, more in (("/garbled", ""), ("/x", "\n"), ("/x", "\u20ac")):
        with pytest.raises(GituError) as refused:
            asked.request(HttpRequest(f"{at}{path}", headers={"X-Key": "{secret:KEY}" + more}))
        assert SECRETS["KEY"] not in str(refused.value)


def test_a_secret_does_not_follow_to_another_host(server: Any) -> None:
    port = server.server_address[1]
    here, there = f"http://localhost:{port}", f"http://127.0.0.1:{port}"
    asked = network(here, there, secrets=(SecretNeed("KEY"),))
    headers = {"X-Key": "{secret:KEY}", "Cookie": "a=b", "Accept": "text/plain"}
    asked.request(HttpRequest(f"{here}/to/{there}/end", headers=headers))
    first, second = server.seen[-2:]
    assert first[1]["X-Key"] == "pl4nted-secret"
    assert ("X-Key" in second[1], "Cookie" in second[1], second[1]["Accept"]) == (False, False, "text/plain")


def test_what_goes_wrong_is_typed(server: Any) -> None:
    at = f"http://{server.at}"
    asked = network(at, "http://localhost:1")
    with pytest.raises(NotReady, match="cannot be reached"):
        asked.request(HttpRequest("http://localhost:1/"))
    with pytest.raises(NotReady, match="did not answer"):
        asked.request(HttpRequest(f"{at}/gone"))
    with pytest.raises(Unknown, match="did not answer"):
        asked.request(HttpRequest(f"{at}/gone", method="POST"))
    with pytest.raises(Rejected, match="more than 8 MiB"):
        asked.request(HttpRequest(f"{at}/large"))
    with pytest.raises(InputError, match="no HTTP request"):
        asked.request(HttpRequest(f"{at}/x", headers={"A": "b\r\nHost: evil"}))


def roots(*folders: Path) -> Roots:
    """A plugin's folders."""
    return Roots(Manifest("shop", capabilities=Capabilities(files=tuple(map(str, folders)))))


def test_files_are_read_written_and_listed_below_the_roots(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    files = roots(root)
    files.write("note.txt", b"one", append=False)
    files.write(str(root / "note.txt"), b" two", append=True)
    assert files.read("note.txt", 0, 100) == b"one two"
    assert files.read("note.txt", 4, 2) == b"tw"
    listed = [(each.path, each.folder) for each in files.list(".")]
    assert listed == [("./note.txt", False), ("./sub", True)]
    assert (root / "note.txt").stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="No such file"):
        files.read("none", 0, 1)
    with pytest.raises(InputError, match="bytes at once"):
        files.write("big", b"x" * ((1 << 20) + 1), append=False)


def test_no_path_leads_out(tmp_path: Path) -> None:
    root, private = tmp_path / "root", tmp_path / "private"
    root.mkdir()
    private.write_text("not for plugins")
    (root / "link").symlink_to(private)
    (root / "up").symlink_to(tmp_path)
    files = roots(root)
    for path in ("../private", str(private), "link", "up/private", "/etc/passwd", "~/x", f"{root}/../private"):
        with pytest.raises(Denied, match="does not declare"):
            files.read(path, 0, 10)
        with pytest.raises(Denied, match="does not declare"):
            files.write(path, b"x", append=False)
    assert private.read_text() == "not for plugins"
    with pytest.raises(InputError):
        files.read("a\0b", 0, 1)
    with pytest.raises(InputError, match="declare files"):
        roots().read("x", 0, 1)


@pytest.mark.parametrize("swapped", ["", "sub", "sub/deep"])
def test_a_folder_that_is_swapped_after_it_was_looked_at_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    root, private = tmp_path / "root", tmp_path / "private"
    for folder in (root, private):
        (folder / "sub" / "deep").mkdir(parents=True)
        for place in ("", "sub", "sub/deep"):
            (folder / place / "note").write_text(folder.name)
    looked = Roots._inside

    def swap(self: Roots, path: str) -> Path:
        found = looked(self, path)
        (root / swapped).rename(tmp_path / f"away{time.monotonic_ns()}")
        (root / swapped).symlink_to(private / swapped)
        return found

    files, opened = roots(root), len(os.listdir("/proc/self/fd"))
    for use in (
        lambda: files.read("sub/deep/note", 0, 9), lambda: files.list("sub/deep"),
        lambda: files.write("sub/deep/note", b"x", append=False),
        lambda: files.write("sub/deep/new", b"x", append=False),
    ):  # fmt: skip
        with monkeypatch.context() as patched:
            patched.setattr(Roots, "_inside", swap)
            with pytest.raises(InputError):
                use()
        (root / swapped).unlink()
        (root / swapped).mkdir()
        (root / "sub" / "deep").mkdir(parents=True, exist_ok=True)
        (root / "sub" / "deep" / "note").touch()
    assert {each.read_text() for each in private.rglob("note")} == {"private"}
    assert not (private / "sub" / "deep" / "new").exists()
    assert len(os.listdir("/proc/self/fd")) == opened


def test_a_root_inside_of_another_one_cannot_be_led_away(tmp_path: Path) -> None:
    """Whoever may write above it could put a link in its place."""
    (tmp_path / "root").mkdir()
    (tmp_path / "private").write_text("not for plugins")
    (tmp_path / "root" / "inner").symlink_to(tmp_path)
    with pytest.raises(Denied, match="does not declare"):
        roots(tmp_path / "root", tmp_path / "root" / "inner").read("inner/private", 0, 9)


@given(st.text(max_size=40))
def test_no_name_of_a_file_leads_out(name: str) -> None:
    root = Path("/nonexistent-root/inside")
    try:
        found = roots(root)._inside(name)
    except (GituError, ValueError, OSError, RuntimeError):
        return
    assert found.is_relative_to(os.path.realpath(root))


def test_a_server_that_drips_holds_nobody_longer_than_the_request_may_take(server: Any) -> None:
    at, began = f"http://{server.at}", time.monotonic()
    with pytest.raises(NotReady, match="did not answer"):
        network(at).request(HttpRequest(f"{at}/drip", timeout=0.5))
    assert time.monotonic() - began < 3


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError):
        roots(tmp_path).read("pipe", 0, 1)
    with pytest.raises(InputError):
        roots(tmp_path).write("pipe", b"x", append=False)


def test_a_secret_goes_nowhere_unencrypted_but_to_what_is_declared_by_its_address(server: Any) -> None:
    asked = network("http://api.example.org", secrets=(SecretNeed("KEY"),))
    with pytest.raises(Denied, match="unencrypted"):
        asked.request(HttpRequest("http://api.example.org/", headers={"X-Key": "{secret:KEY}"}))
