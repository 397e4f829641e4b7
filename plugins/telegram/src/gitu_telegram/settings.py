"""What the plugin is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

NAME = "telegram"
"""The name of the channel."""

TOKEN = "TELEGRAM_BOT_TOKEN"
"""The name of the secret."""

CLOUD = "https://api.telegram.org"
"""The server of Telegram itself."""

UPDATES = ("message", "edited_message", "callback_query")
"""What of all that happens is asked for."""

COMMANDS = {
    "help": "what you can say",
    "status": "how the assistant is",
    "session": "this session",
    "sessions": "your last sessions",
    "new": "begin a new session",
    "continue": "go on here with another session",
    "history": "what was said in this session",
    "stop": "stop what runs",
    "budget": "what you may still use",
    "resend": "send again what did not reach you",
    "questions": "what waits for your answer",
    "grants": "what I may do without asking you",
    "revoke": "ask me again about something",
    "accounts": "the accounts that speak for you",
    "link": "link another account of yours",
    "unlink": "take an account off",
}
"""What people are offered when they type a slash: what Gitu itself understands."""


@dataclass(frozen=True)
class Settings:
    """The plugin's configuration; its schema in ``gitu-plugin.toml`` says what each value means."""

    mode: Literal["polling", "webhook"] = "polling"
    base_url: str = ""
    poll_seconds: int = 10
    webhook_url: str = ""
    webhook_listen: str = "127.0.0.1"
    webhook_port: int = 8443
    groups: Literal["mentioned", "all", "none"] = "mentioned"
    allow: tuple[str, ...] = ()
    max_file: int = 20
    link_previews: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """The settings that a plugin's checked configuration holds."""
        given = {each.name: config[each.name] for each in fields(cls) if each.name in config}
        allow = tuple(str(each).lstrip("@").lower() for each in given.get("allow", ()))
        return cls(**{**given, "allow": allow, "base_url": str(given.get("base_url", "")).rstrip("/")})

    @property
    def apart(self) -> bool:
        """True if the host's own requests are enough, so that the plugin can run in a process of its own."""
        return self.mode == "polling" and self.base_url in ("", CLOUD)
