"""Who may connect, and that nothing is said in clear where it was to be encrypted. No credential reaches a log."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import sys
import tomllib
from base64 import urlsafe_b64encode
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import nkeys
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gitu_core.errors import ConfigError
from gitu_nats.login import login
from gitu_nats.settings import Settings

from .around import Crew, Secrets, Worker, until
from .servers import Servers

TOKEN = "s3cr3t-t0k3n"


async def works(worker: Worker) -> None:
    """Sees that it is connected and hands on."""
    await worker.dispatcher.wake("a")
    await until(lambda: worker.done["a"])


async def refused(worker: Worker, *words: str) -> None:
    """Sees that it is told why it is not connected."""

    async def told() -> bool:
        health = await worker.dispatcher.health()
        return health.state == "degraded" and all(word in f"{health.detail} {health.hint}" for word in words)

    await until(told)


async def test_a_token_or_a_password_opens_and_a_wrong_one_is_told(
    crew: Crew, servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    token = await servers.one(f'authorization {{ token: "{TOKEN}" }}')
    user = await servers.one(f'authorization {{ user: gitu, password: "{TOKEN}" }}')
    right = Secrets(NATS_CREDENTIALS=TOKEN)
    await works(await crew.worker(token.url, secrets=right))
    await works(await crew.worker(user.url, user="gitu", secrets=right))
    for node, name in ((token, ""), (user, "gitu")):
        wrong = await crew.worker(node.url, user=name, secrets=Secrets(NATS_CREDENTIALS="wrong-one"), up=False)
        await refused(wrong, "Authorization Violation", "NATS_CREDENTIALS")
        await works(wrong)
    await refused(await crew.worker(token.url, up=False), "Authorization Violation", "NATS_CREDENTIALS")
    await refused(await crew.worker(user.url, user="gitu", up=False), "the secret NATS_CREDENTIALS is not set")
    assert TOKEN not in caplog.text
    assert "wrong-one" not in caplog.text


async def test_a_secret_that_is_changed_counts_without_a_restart(crew: Crew, servers: Servers) -> None:
    node = await servers.one(f'authorization {{ token: "{TOKEN}" }}')
    secrets = Secrets(NATS_CREDENTIALS="not yet")
    worker = await crew.worker(node.url, secrets=secrets, up=False)
    await refused(worker, "Authorization Violation")
    secrets.known["NATS_CREDENTIALS"] = TOKEN
    await worker.up()


async def test_a_key_opens(crew: Crew, servers: Servers) -> None:
    seed = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER).decode()
    public = nkeys.from_seed(bytearray(seed.encode())).public_key.decode()
    node = await servers.one(f"authorization {{ users: [{{ nkey: {public} }}] }}")
    await works(await crew.worker(node.url, secrets=Secrets(NATS_CREDENTIALS=seed)))
    other = nkeys.encode_seed(bytes(32), nkeys.PREFIX_BYTE_USER).decode()
    wrong = await crew.worker(node.url, secrets=Secrets(NATS_CREDENTIALS=other), up=False)
    await refused(wrong, "Authorization Violation", "NATS_CREDENTIALS")


def signed(signer: bytes, subject: str, **claims: Any) -> str:
    """A JWT as the servers of NATS read it."""
    pair = nkeys.from_seed(bytearray(signer))
    parts = {"typ": "JWT", "alg": "ed25519-nkey"}, {
        "jti": "x", "iat": 1_700_000_000, "iss": pair.public_key.decode(), "sub": subject, "name": "test",
        "nats": {"version": 2, **claims},
    }  # fmt: skip
    text = ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{text}.{urlsafe_b64encode(pair.sign(text.encode())).decode().rstrip('=')}"


async def test_a_file_of_credentials_opens(crew: Crew, servers: Servers) -> None:
    """As operators of many accounts hand them out: a token signed for a key, and the key."""
    kinds = nkeys.PREFIX_BYTE_OPERATOR, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_ACCOUNT, nkeys.PREFIX_BYTE_USER
    seeds = [nkeys.encode_seed(bytes([number] * 32), kind) for number, kind in enumerate(kinds, 1)]
    names = [nkeys.from_seed(bytearray(seed)).public_key.decode() for seed in seeds]
    most = dict.fromkeys(("subs", "data", "payload", "imports", "exports", "conn", "leaf"), -1) | {"wildcards": True}
    room = dict.fromkeys(("mem_storage", "disk_storage", "streams", "consumer"), -1)
    free = {"subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {}}
    accounts = (
        signed(seeds[0], names[1], type="account", limits=most),
        signed(seeds[0], names[2], type="account", limits=most | room),
    )
    node = await servers.one(
        f"operator: {signed(seeds[0], names[0], type='operator')}\nresolver: MEMORY\nsystem_account: {names[1]}\n"
        f"resolver_preload: {{ {names[1]}: {accounts[0]}, {names[2]}: {accounts[1]} }}"
    )
    user = signed(seeds[2], names[3], type="user", **free)
    secret = (
        f"-----BEGIN NATS USER JWT-----\n{user}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seeds[3].decode()}\n------END USER NKEY SEED------\n"
    )
    await works(await crew.worker(node.url, secrets=Secrets(NATS_CREDENTIALS=secret)))


async def test_a_key_without_the_library_for_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nkeys")
    monkeypatch.setattr(sys, "path", [])
    for secret in ("-----BEGIN NATS USER JWT-----\n...", "SU" + "A" * 56):
        with pytest.raises(ConfigError, match="nothing here can sign") as caught:
            await login(Secrets(NATS_CREDENTIALS=secret), "")  # type: ignore[arg-type]
        assert "gitu-nats[nkeys]" in caught.value.hint


def certificate(folder: Path) -> Path:
    """A certificate for this machine that is its own authority, with its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gitu test")])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1)).add_extension(here, False)
        .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    )  # fmt: skip
    file = folder / "cert.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    file.with_name("key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    return file


async def test_an_encrypted_connection_needs_an_authority_that_is_known(
    crew: Crew, servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path)
    tls = f'tls {{ cert_file: "{file}", key_file: "{file.with_name("key.pem")}" }}'
    node = await servers.one(tls, scheme="tls")
    await refused(await crew.worker(node.url, up=False), "certificate", "SSL_CERT_FILE")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    await works(await crew.worker(node.url))


async def test_a_server_that_offers_no_encryption_gets_no_credentials(crew: Crew) -> None:
    said: list[bytes] = []

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id": "x", "version": "2.12.0", "headers": true, "auth_required": true}\r\n')
        said.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(pretend, "127.0.0.1", 0)
    async with server:
        url = f"tls://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        worker = await crew.worker(url, secrets=Secrets(NATS_CREDENTIALS=TOKEN), up=False)
        await refused(worker, "offers no TLS")
        await until(lambda: said)
        await worker.dispatcher.close(0)
    assert set(said) == {b""}


def test_an_address_without_a_port_keeps_its_scheme() -> None:
    urls = ["tls://a.example.org", "nats://b/", "tls://[::1]:5222"]
    assert Settings.of({"servers": urls}).servers == ("tls://a.example.org:4222", "nats://b:4222", "tls://[::1]:5222")


def test_the_schema_refuses_what_cannot_be() -> None:
    manifest = tomllib.loads((files("gitu_nats") / "gitu-plugin.toml").read_text("utf-8"))
    check = jsonschema.Draft202012Validator(json.loads(manifest["config"]["schema"]))
    for good in (
        {}, {"servers": ["nats://a:4222", "tls://b.example.org"]}, {"prefix": "home-2"}, {"replicas": 3},
        {"storage": "memory"}, {"ack_wait": 2.5}, {"max_turns": 1}, {"user": "gitu"}, {"max_ack_pending": 10},
    ):  # fmt: skip
        assert check.is_valid(good), good
    for bad in (
        {"servers": []}, {"servers": ["nats://user:password@a"]}, {"servers": ["http://a"]}, {"servers": ["a:4222"]},
        {"prefix": "a.b"}, {"prefix": "*"}, {"prefix": ""}, {"replicas": 2}, {"storage": "paper"}, {"ack_wait": 0},
        {"max_turns": 0}, {"token": "x"},
    ):  # fmt: skip
        assert not check.is_valid(bad), bad
