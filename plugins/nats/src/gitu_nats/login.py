"""What the client logs in with. It is read anew for every connection, so that a new secret needs no restart."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

from gitu_core.contracts import Secrets
from gitu_core.errors import AuthFailed, ConfigError

SECRET = "NATS_CREDENTIALS"

_SEED = re.compile(r"SU[A-Z2-7]{56}")


async def login(secrets: Secrets, user: str) -> dict[str, Any]:
    """Arguments for the client: a password where there is a *user*, else credentials with a JWT, the seed of a key or
    a token, whatever the secret is. Nothing where there is neither. `AuthFailed` or `ConfigError` says what is missing.
    """
    try:
        secret = await secrets.reveal(SECRET)
    except AuthFailed:
        if user:
            raise
        return {}
    if user:
        return {"user": user, "password": secret}
    if "BEGIN NATS USER JWT" in secret:
        from nats.aio.client import RawCredentials

        return _signed({"user_credentials": RawCredentials(secret)})
    if _SEED.fullmatch(secret):
        return _signed({"nkeys_seed_str": secret})
    return {"token": secret}


def _signed(arguments: dict[str, Any]) -> dict[str, Any]:
    if find_spec("nkeys") is None:
        what = f"the secret {SECRET} is a key, and nothing here can sign with it"
        raise ConfigError(what, hint="run: pip install 'gitu-nats[nkeys]'", plugin="nats")
    return arguments
