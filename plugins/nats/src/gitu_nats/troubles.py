"""What keeps wake-ups from being carried, in words, with what a person can do."""

from __future__ import annotations

import ssl

from nats.js.errors import APIError, ServiceUnavailableError

from gitu_core.contracts import Health
from gitu_core.errors import GituError


def in_words(error: Exception, stream: str) -> Health:
    """An outage as a person should see it."""
    if isinstance(error, GituError):
        return Health("degraded", error.message, error.hint or advice(error))
    if isinstance(error, TimeoutError) or (isinstance(error, ServiceUnavailableError) and not error.description):
        hint = "start the servers with JetStream (nats-server -js); of a cluster, most nodes have to be there"
        return Health("degraded", "JetStream does not answer", hint)
    if isinstance(error, APIError):
        text = f"the stream {stream!r} cannot be used: {error.description or error}"
        return Health("degraded", text, "correct [plugins.nats] in gitu.toml, or let the servers allow it")
    return Health("degraded", str(error) or type(error).__name__, advice(error))


def advice(error: Exception) -> str:
    """What a person can do about a connection that was refused or lost."""
    if isinstance(error, ssl.SSLError):
        return "name the authority of the servers' certificates in the environment variable SSL_CERT_FILE"
    if "uthorization" in str(error):
        return "correct user in [plugins.nats], or the secret NATS_CREDENTIALS"
    return "start the servers, or correct servers in [plugins.nats] in gitu.toml"
