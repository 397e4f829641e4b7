"""An index is believed because of its signature alone, and not for ever; what it says is checked all the same."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gitu_core.errors import AuthFailed, ConfigError, Denied, InputError, NotReady, Rejected
from gitu_core.testing.workshop.rules import load
from gitu_marketplace import badge, fetching, keeping
from gitu_marketplace import index as indexes
from gitu_marketplace.deal import Dealer
from gitu_marketplace.fetching import fetch, located
from gitu_marketplace.index import INDEX, SIGNATURE, fingerprint, read, sign
from gitu_marketplace.listing import search, show
from gitu_marketplace.offers import Market
from gitu_marketplace.publish import load_key, make_key, publish
from gitu_marketplace.sources import Sources
from tests.cli.driver import signals_as_usual
from tests.wheels import write_plugin


def public(key: Ed25519PrivateKey) -> str:
    """The public half as an index names it."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


@pytest.fixture
def folder(tmp_path: Path, key: Ed25519PrivateKey) -> Path:
    """A published index of one plugin."""
    place = tmp_path / "index"
    write_plugin(place, "lamp")
    publish(place, key)
    return place


def add(sources: Sources, location: Path | str) -> None:
    """Adds an index as an operator does who trusts its key."""
    sources.add(*sources.meet(str(location)))


def again(folder: Path, key: Ed25519PrivateKey, change: dict[str, Any]) -> None:
    """Signs an index that its publisher changed."""
    raw = {**msgspec.json.decode((folder / INDEX).read_bytes()), **change}
    data = msgspec.json.encode(raw)
    (folder / INDEX).write_bytes(data)
    (folder / SIGNATURE).write_bytes(sign(data, key))


def raw_of(folder: Path) -> Any:
    """An index as JSON."""
    return msgspec.json.decode((folder / INDEX).read_bytes())


def test_a_changed_byte_another_key_and_a_damaged_signature_are_refused(folder: Path, key: Ed25519PrivateKey) -> None:
    data, signature = (folder / INDEX).read_bytes(), (folder / SIGNATURE).read_bytes()
    assert read(data, signature, public(key)).plugins[0].id == "lamp"
    with pytest.raises(AuthFailed, match="it was changed"):
        read(data.replace(b"lamp", b"limp"), signature, public(key))
    other = Ed25519PrivateKey.generate()
    with pytest.raises(AuthFailed, match="another key") as refused:
        read(data, sign(data, other), public(key))
    assert fingerprint(public(other)) in str(refused.value)
    forged = msgspec.json.encode({**msgspec.json.decode(sign(data, other)), "key": public(key)})
    with pytest.raises(AuthFailed, match="it was changed"):
        read(data, forged, public(key))
    for torn in (b"", b"{}", b'{"key": "x", "signature": "x"}', b"\xff" * 99):
        with pytest.raises(InputError, match=SIGNATURE):
            read(data, torn, public(key))
    # What the same key signed elsewhere is no signature of an index.
    bare = {"key": public(key), "signature": base64.b64encode(key.sign(data)).decode()}
    with pytest.raises(AuthFailed):
        read(data, msgspec.json.encode(bare), public(key))


def test_an_older_index_and_one_that_expired_are_refused(
    folder: Path, key: Ed25519PrivateKey, sources: Sources
) -> None:
    first = (folder / INDEX).read_bytes(), (folder / SIGNATURE).read_bytes()
    add(sources, folder)
    publish(folder, key)
    place = sources.places()[0]
    assert sources.read(place).serial == 2
    (folder / INDEX).write_bytes(first[0])
    (folder / SIGNATURE).write_bytes(first[1])
    with pytest.raises(AuthFailed, match=r"older \(number 1\).*number 2"):
        sources.read(sources.places()[0])
    with pytest.raises(AuthFailed, match="expired on"):
        read(*first, public(key), now=time.time() + 91 * 86_400)


def test_two_indexes_of_one_number_are_not_both_believed(
    folder: Path, key: Ed25519PrivateKey, sources: Sources
) -> None:
    """Else one publisher, or whoever got at a draft of his, shows different people different things."""
    add(sources, folder)
    assert sources.read(sources.places()[0]).plugins
    raw = msgspec.json.decode((folder / INDEX).read_bytes())
    data = msgspec.json.encode({**raw, "plugins": []})
    (folder / INDEX).write_bytes(data)
    (folder / SIGNATURE).write_bytes(sign(data, key))
    with pytest.raises(AuthFailed, match="not the one that had the number 1 before"):
        sources.read(sources.places()[0])
    publish(folder, key)
    assert sources.read(sources.places()[0]).serial == 2


def test_a_key_counts_from_its_first_use(
    folder: Path, sources: Sources, home: Path, key: Ed25519PrivateKey, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Denied):
        keeping.add(home, str(folder), {})
    assert fingerprint(public(key)) in capsys.readouterr().err
    with pytest.raises(AuthFailed, match="not by 0000"):
        keeping.add(home, str(folder), {"fingerprint": "0000"})
    keeping.add(home, str(folder), {"fingerprint": fingerprint(public(key)).upper()})
    (folder / INDEX).unlink()
    publish(folder, Ed25519PrivateKey.generate())
    with pytest.raises(AuthFailed, match="another key"):
        sources.read(sources.places()[0])
    with pytest.raises(AuthFailed, match="was added with the key"):
        keeping.add(home, str(folder), {"yes": True})
    assert fingerprint(public(key)) in keeping.listed(home)
    keeping.remove(home, str(folder), {})
    keeping.add(home, str(folder), {"yes": True})


def _versions(**change: Any) -> Any:
    return lambda raw: raw["plugins"][0]["versions"][0].update(change)


ODD = {
    "one id twice": lambda raw: raw["plugins"].append(raw["plugins"][0]),
    "one version twice": lambda raw: raw["plugins"][0]["versions"].append(raw["plugins"][0]["versions"][0]),
    "an id that is a path": lambda raw: raw["plugins"][0].update(id="../lamp"),
    "a version about another plugin": _versions(wants={"id": "torch"}),
    "a wheel in another folder": _versions(wheel="../x_lamp-1.0-py3-none-any.whl"),
    "a wheel at an absolute path": _versions(wheel="/etc/x_lamp.whl"),
    "a wheel at an address": _versions(wheel="https://example.org/x.whl"),
    "a wheel with a query": _versions(wheel="x.whl?a"),
    "a wheel that is none": _versions(wheel="index.json"),
    "a report in another folder": _versions(report={"file": "a/../../b", "sha256": "0" * 64, "tier": "gold"}),
    "a hash that is none": _versions(sha256="lamp"),
    "a size without end": _versions(size=1 << 40),
    "a size below nothing": _versions(size=-1),
    "a version that is none": _versions(version="\x1b[2J"),
    "no version": lambda raw: raw["plugins"][0].update(versions=[]),
    "a number without end": lambda raw: raw.update(serial=1 << 60),
    "times that cannot be": lambda raw: raw.update(expires=5),
    "another format": lambda raw: raw.update(format=2),
    "plugins that are no list": lambda raw: raw.update(plugins="lamp"),
}


@pytest.mark.parametrize("change", ODD.values(), ids=ODD.keys())
def test_what_a_publisher_may_not_say_is_refused(
    change: Any, folder: Path, key: Ed25519PrivateKey, sources: Sources
) -> None:
    add(sources, folder)
    raw = raw_of(folder)
    change(raw)
    again(folder, key, raw)
    with pytest.raises(InputError) as refused:
        sources.read(sources.places()[0])
    assert "\x1b" not in str(refused.value)


def test_a_wheel_that_is_not_the_listed_one_is_refused(
    folder: Path, key: Ed25519PrivateKey, sources: Sources, dealer: Dealer
) -> None:
    add(sources, folder)
    write_plugin(folder, "lamp", colour="red")
    with pytest.raises(AuthFailed, match="not the file that the index lists"):
        dealer.install("lamp", yes=True)
    raw = raw_of(folder)
    wheel = folder / raw["plugins"][0]["versions"][0]["wheel"]
    write_plugin(folder, "lamp", capabilities='network = ["a.org"]')
    raw["plugins"][0]["versions"][0].update(
        size=wheel.stat().st_size, sha256=hashlib.sha256(wheel.read_bytes()).hexdigest()
    )
    again(folder, key, {**raw, "serial": 3})
    with pytest.raises(AuthFailed, match="wants something else, than the index says"):
        dealer.install("lamp", yes=True)
    (folder / wheel.name).unlink()
    with pytest.raises(Rejected, match="has no x_lamp"):
        dealer.install("lamp", yes=True)
    assert not dealer.shelf.has("lamp")


def kept(*unkept: str) -> list[dict[str, str]]:
    """What a report says of the rules; those of some tiers are not kept."""
    found = [{"rule": rule, "status": "failed" if tier in unkept else "passed"}
             for tier, rules in badge.RULES.items() for rule in rules]  # fmt: skip
    return [*found, *({"rule": rule, "status": "passed"} for rule in badge.ALWAYS)]


def test_the_rules_of_a_tier_are_those_of_the_check() -> None:
    rules = load().values()
    assert {tier: tuple(each.id for each in rules if each.tier == tier) for tier in badge.RULES} == badge.RULES
    assert tuple(each.id for each in rules if each.exempt) == badge.EXEMPT
    assert sum(map(len, badge.RULES.values())) == len(rules)


def test_a_tier_is_shown_only_with_a_report_on_this_very_wheel(
    folder: Path, key: Ed25519PrivateKey, sources: Sources, dealer: Dealer
) -> None:
    wheel = next(folder.glob("*.whl"))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    file = folder / f"{wheel.stem}.report.json"
    good = {"plugin": "lamp", "tier": "gold", "complete": True, "sha256": digest, "rules": kept("platinum")}
    for wrong in ({"sha256": "0" * 64}, {"tier": "diamond"}, {"plugin": "torch"}, {"complete": False}, {"rules": []},
                  {"tier": "platinum"}, {"rules": kept("gold", "platinum")}, {"rules": kept("platinum")[1:]},
                  {"rules": [*kept("platinum"), kept()[0]]}):  # fmt: skip
        file.write_bytes(msgspec.json.encode({**good, **wrong}))
        with pytest.raises(InputError, match="is no report on"):
            publish(folder, key)
    file.write_bytes(msgspec.json.encode(good))
    publish(folder, key)
    add(sources, folder)
    assert "quality of 1.0: gold" in show(Market(sources), dealer.shelf, "lamp")
    dealer.install("lamp", yes=True)
    assert dealer.shelf.installed("lamp").tier == "gold"
    file.write_bytes(msgspec.json.encode({**good, "tier": "silver"}))
    assert "quality of" not in show(Market(sources), dealer.shelf, "lamp")
    dealer.remove("lamp", keep_state=True)
    dealer.install("lamp", yes=True)
    assert dealer.shelf.installed("lamp").tier == ""
    with pytest.raises(InputError, match="is not about"):
        dealer.install(str(write_plugin(folder, "lamp", "3.0")), yes=True, report=str(file))


def test_a_trial_version_is_taken_only_where_it_is_named(
    folder: Path, key: Ed25519PrivateKey, sources: Sources, dealer: Dealer
) -> None:
    write_plugin(folder, "lamp", "2.0b1")
    publish(folder, key)
    add(sources, folder)
    dealer.install("lamp", yes=True)
    assert dealer.shelf.installed("lamp").version == "1.0"
    assert dealer.update([]) == "lamp 1.0 is the newest"
    dealer.install("lamp==2.0b1", yes=True)
    assert dealer.shelf.installed("lamp").version == "2.0b1"
    with pytest.raises(InputError, match=r"no version '7\.0'"):
        dealer.install("lamp==7.0", yes=True)


def test_of_two_indexes_with_one_id_nobody_is_taken_unasked(
    folder: Path, tmp_path: Path, sources: Sources, dealer: Dealer
) -> None:
    other = tmp_path / "other"
    write_plugin(other, "lamp", "9.0", name="evil-lamp")
    publish(other, Ed25519PrivateKey.generate())
    add(sources, folder)
    dealer.install("lamp", yes=True)
    add(sources, other)
    with pytest.raises(InputError, match="more than one index has lamp"):
        dealer.install("lamp", yes=True)
    assert dealer.update([]) == "lamp 1.0 is the newest", "an update comes from where the plugin came from"
    with pytest.raises(InputError, match="which was installed from x-lamp"):
        dealer.install("lamp", at=str(other), yes=True)
    with pytest.raises(InputError, match="was not added"):
        dealer.install("lamp", at=str(tmp_path), yes=True)
    assert search(Market(sources), ["LAMPS"]).count("lamp ") == 2


def test_a_publisher_cannot_offer_what_nobody_could_install(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    with pytest.raises(InputError, match="holds no wheel"):
        publish(tmp_path, key)
    write_plugin(tmp_path, "lamp")
    write_plugin(tmp_path, "lamp", name="other-lamp")
    with pytest.raises(InputError, match="have one id, 'lamp'"):
        publish(tmp_path, key)
    made = make_key(tmp_path / "key.pem")
    assert public(load_key(tmp_path / "key.pem")) == public(made)
    assert (tmp_path / "key.pem").stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError):
        make_key(tmp_path / "key.pem")
    (tmp_path / "no.pem").write_text("no key")
    with pytest.raises(ConfigError, match=r"no\.pem"):
        load_key(tmp_path / "no.pem")


# ---- over the network ------------------------------------------------------------------------------


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; one path leads away."""

    def do_GET(self) -> None:
        if self.path.startswith("/away/"):
            self.send_response(302)
            self.send_header("Location", "http://192.0.2.1/index.json")
            self.end_headers()
        elif self.path.startswith("/broken/"):
            self.send_error(503)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(folder: Path) -> Iterator[http.server.ThreadingHTTPServer]:
    """A web server of this machine that has the index."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_index_of_a_web_server_is_kept_for_a_while_and_outlives_it(
    folder: Path, key: Ed25519PrivateKey, server: http.server.ThreadingHTTPServer, sources: Sources, dealer: Dealer
) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    add(sources, f"{url}/")
    assert "1.0" in search(Market(sources), ["lamp"])
    write_plugin(folder, "lamp", "2.0")
    publish(folder, key)
    assert "2.0" not in search(Market(sources), ["lamp"]), "minutes old will do for a look"
    dealer.install("lamp", yes=True)
    assert "1.0 was replaced by 2.0" in dealer.update([]), "an update asks"
    place = sources.places()[0]
    server.shutdown()
    server.server_close()
    assert sources.read(place, fresh=True).serial == 2
    (folder.parent / "home/marketplace/cache").rename(folder.parent / "gone")
    with pytest.raises(NotReady):
        sources.read(place)


def test_a_server_that_never_comes_to_the_point_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one whose headers have no end nor one whose file has none."""
    monkeypatch.setattr(fetching, "PATIENCE", 0.3)
    for beginning in (b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            thread = threading.Thread(target=_drip, args=(server, beginning), daemon=True)
            thread.start()
            began = time.monotonic()
            with pytest.raises(NotReady):
                fetch(f"http://127.0.0.1:{server.getsockname()[1]}", "index.json", 10_000)
            assert time.monotonic() - began < 5
            thread.join(5)


def _drip(server: socket.socket, beginning: bytes) -> None:
    with server.accept()[0] as other, suppress(OSError):
        other.sendall(beginning)
        for number in range(400):
            other.sendall(f"X-{number}: a\r\n".encode())
            time.sleep(0.02)


WAITING = """
import asyncio, sys
from gitu_marketplace.fetching import fetch

async def main():
    print("asks", flush=True)
    fetch(sys.argv[1], "index.json", 100)

asyncio.run(main())
"""


def test_one_ctrl_c_ends_the_wait_for_a_server_that_says_nothing() -> None:
    """Although an event loop is around it, which would take the first one for itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        command = [sys.executable, "-c", WAITING, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              preexec_fn=signals_as_usual) as process:  # fmt: skip
            assert process.stdout is not None
            assert process.stdout.readline() == b"asks\n"
            server.accept()[0].recv(1000)
            process.send_signal(signal.SIGINT)
            assert process.wait(10) != 0


def test_a_copy_that_was_changed_on_disk_is_refused(
    home: Path, server: http.server.ThreadingHTTPServer, sources: Sources
) -> None:
    add(sources, f"http://127.0.0.1:{server.server_port}")
    sources.read(sources.places()[0])
    copy = next((home / "marketplace/cache").rglob(INDEX))
    copy.write_bytes(copy.read_bytes().replace(b"lamp", b"limp"))
    with pytest.raises(AuthFailed, match="it was changed"):
        sources.read(sources.places()[0])


def test_nothing_larger_than_it_may_be_is_read_and_no_redirect_leaves_what_is_safe(
    folder: Path, server: http.server.ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, sources: Sources
) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    (folder / "large").write_bytes(bytes(1 << 20))
    with pytest.raises(InputError, match="more than 1000 bytes"):
        fetch(url, "large", 1_000)
    with pytest.raises(InputError, match="only https"):
        fetch(f"{url}/away", INDEX, 1_000)
    with pytest.raises(Rejected, match="404"):
        fetch(f"{url}/nowhere", INDEX, 1_000)
    with pytest.raises(NotReady, match="503"):
        fetch(f"{url}/broken", INDEX, 1_000)
    monkeypatch.setattr("gitu_marketplace.sources.LARGEST_INDEX", 100)
    with pytest.raises(InputError, match="more than 100 bytes"):
        sources.meet(str(folder))


@pytest.mark.parametrize(
    "url",
    ["http://example.org/index", "ftp://127.0.0.1/x", "file:///etc", "https://user:word@example.org", "https://",
     "http://127.0.0.1.example.org", "https://example.org/?a=b", "http://localhost.example.org"],
)  # fmt: skip
def test_other_machines_are_asked_over_tls_only(url: str) -> None:
    with pytest.raises(InputError):
        located(url)
    assert located("https://example.org/plugins/") == "https://example.org/plugins"
    assert located("http://[::1]:8000") == "http://[::1]:8000"


def test_the_bytes_of_the_format_stay_as_they_are(folder: Path) -> None:
    """Others write and read indexes too: a name that changes breaks them."""
    raw = raw_of(folder)
    assert set(raw) == {"format", "serial", "issued", "expires", "plugins", "name"}
    assert raw["format"] == indexes.FORMAT == 1
    assert set(raw["plugins"][0]) == {"id", "distribution", "versions", "title"}
    assert set(raw["plugins"][0]["versions"][0]) == {"version", "wheel", "sha256", "size", "wants", "date"}
    assert set(msgspec.json.decode((folder / SIGNATURE).read_bytes())) == {"key", "signature"}
