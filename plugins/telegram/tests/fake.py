"""A strict server of the Bot API on loopback, with the people who use it.

Every call is held against the description of the API; what does not fit is answered as Telegram would, and kept in
`complaints`, which have to be empty at the end of a test. Faults are made on purpose by `faults`.
"""

from __future__ import annotations

import email.parser
import email.policy
import json
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from .description import described, problems

TOKEN = "4711:test-token_of-the-fake-server"
BOT = {"id": 4711, "is_bot": True, "first_name": "Gitu", "username": "gitu_bot"}
SPEAKS = ("send", "edit")


class Refusal(Exception):
    """What the server answers in place of a result."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status, self.parameters = status, parameters


class Server(ThreadingHTTPServer):
    """Listens."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has gone; other errors are those of the fake."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.RequestHandlerClass.fake.complaints.append(repr(error))  # type: ignore[attr-defined]


class Fake:
    """The server. `screen` is what people see, `calls` is all that was asked of it."""

    def __init__(self, known: Mapping[str, Any] | None = None, serve: bool = True) -> None:
        self.known = described() if known is None else known
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.token = TOKEN
        self.updates: dict[int, dict[str, Any]] = {}
        self.forced: list[dict[str, Any]] = []
        self.confirmed = 0
        self.screen: dict[tuple[int, int], dict[str, Any]] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.complaints: list[str] = []
        self.faults: deque[tuple[str, str]] = deque()
        self.files: dict[str, bytes] = {}
        self.queries: set[str] = set()
        self.moved: dict[int, int] = {}
        self.webhook: dict[str, Any] = {}
        self.ranges = True
        self._numbers = iter(range(1000, 1 << 30))
        self.url = ""
        if serve:
            self._server = Server(("127.0.0.1", 0), type("Own", (Handler,), {"fake": self}))
            self._begin()

    def _begin(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()

    # ---- people ----------------------------------------------------------------------------------------------------

    def number(self) -> int:
        """A number that nothing else has."""
        return next(self._numbers)

    def message(self, text: str | None = None, user: int = 1, chat: int = 0, **fields: Any) -> dict[str, Any]:
        """A message as Telegram writes it: in the user's own chat, or in the group *chat*."""
        who = {"id": user, "is_bot": False, "first_name": f"User{user}", "username": f"user{user}"}
        where = {"id": chat, "type": "supergroup", "title": "All"} if chat else {"id": user, "type": "private"}
        said = {"message_id": self.number(), "date": 1_800_000_000, "chat": where, "from": who}
        return {**said, **({"text": text} if text is not None else {}), **fields}

    def push(self, **update: Any) -> int:
        """Something happens; gives the number of the update."""
        with self.news:
            number = self.number()
            self.updates[number] = {"update_id": number, **update}
            self.news.notify_all()
        return number

    def say(self, text: str, **fields: Any) -> int:
        """Somebody says something."""
        return self.push(message=self.message(text, **fields))

    def press(self, label: str, user: int = 1, key: tuple[int, int] | None = None) -> str:
        """Somebody presses the newest button that says *label*; gives the id of the query."""
        with self.lock:
            for where, shown in reversed(self.screen.items()):
                if key in (None, where):
                    for button in buttons_of(shown):
                        if button["text"] == label:
                            return self.query(button["callback_data"], user, shown)
        raise LookupError(label)

    def query(self, data: str, user: int, shown: dict[str, Any]) -> str:
        """A press arrives."""
        id = str(self.number())
        self.queries.add(id)
        who = {"id": user, "is_bot": False, "first_name": f"User{user}"}
        self.push(callback_query={"id": id, "from": who, "message": shown, "chat_instance": "1", "data": data})
        return id

    def shown(self, chat: int | None = None) -> list[str]:
        """What people see, the oldest first, buttons included."""
        with self.lock:
            found = [each for (where, _), each in self.screen.items() if chat in (None, where)]
            return [
                "\n".join([each.get("text") or each.get("caption") or "", *(b["text"] for b in buttons_of(each))])
                for each in found
            ]

    def called(self, method: str) -> list[dict[str, Any]]:
        """What a method was called with, in order."""
        with self.lock:
            return [given for name, given in self.calls if name == method]

    # ---- the server ------------------------------------------------------------------------------------------------

    def answer(self, method: str, given: dict[str, Any], gone: Callable[[], bool]) -> Any:
        """The result of a call."""
        with self.lock:
            self.calls.append((method, given))
            wrong = problems(method, given, self.known)
            if wrong:
                self.complaints += wrong
                raise Refusal(400, f"Bad Request: {wrong[0]}")
            if method == "getUpdates":
                return self._updates(given, gone)
            return self._do(method, given)

    def _updates(self, given: dict[str, Any], gone: Callable[[], bool]) -> list[Any]:
        if self.webhook.get("url"):
            raise Refusal(409, "Conflict: can't use getUpdates method while webhook is active")
        offset = given.get("offset", 0)
        for number in [number for number in self.updates if number < offset]:
            self.confirmed = max(self.confirmed, number)
            del self.updates[number]
        until = time.monotonic() + min(given.get("timeout", 0), 2)
        while not self.updates and not self.forced and time.monotonic() < until and not gone():
            self.news.wait(0.02)
        forced, self.forced = self.forced, []
        return [*self.updates.values(), *forced][:100]

    def _do(self, method: str, given: dict[str, Any]) -> Any:
        if method == "getMe":
            return {**BOT, "can_join_groups": True, "can_read_all_group_messages": False}
        if method == "answerCallbackQuery":
            if given["callback_query_id"] not in self.queries:
                raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
            self.queries.discard(given["callback_query_id"])
            return True
        if method in ("setWebhook", "deleteWebhook"):
            self.webhook = given if method == "setWebhook" else {}
            return True
        if method == "getFile":
            if given["file_id"] not in self.files:
                raise Refusal(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
            size = len(self.files[given["file_id"]])
            return {
                "file_id": given["file_id"],
                "file_unique_id": "u",
                "file_size": size,
                "file_path": given["file_id"],
            }
        if method.startswith(SPEAKS) and method != "sendChatAction":
            return self._spoken(method, given)
        return True

    def _spoken(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        chat = int(given["chat_id"])
        if chat in self.moved:
            raise Refusal(400, "Bad Request: group chat was upgraded to a supergroup chat",
                          migrate_to_chat_id=self.moved[chat])  # fmt: skip
        _check_words(given.get("text"), given.get("entities", ()))
        if method.startswith("edit"):
            return self._edited(method, given, (chat, given["message_id"]))
        shown = {**self.message(chat=chat if chat < 0 else 0, user=abs(chat)), "from": BOT}
        for name in ("text", "entities", "caption", "reply_markup", "message_thread_id", "reply_parameters"):
            if name in given and name != "reply_parameters":
                shown[name] = given[name]
        for name in ("latitude", "longitude"):
            if name in given:
                shown.setdefault("location", {"latitude": 0, "longitude": 0})[name] = given[name]
        if "message_thread_id" in given:
            shown["is_topic_message"] = True
        self.screen[chat, shown["message_id"]] = shown
        return shown

    def _edited(self, method: str, given: dict[str, Any], key: tuple[int, int]) -> dict[str, Any]:
        if key not in self.screen:
            raise Refusal(400, "Bad Request: message to edit not found")
        now = {name: given[name] for name in ("text", "entities", "reply_markup") if name in given}
        old = self.screen[key]
        if all(old.get(name) == value for name, value in now.items()):
            raise Refusal(400, "Bad Request: message is not modified")
        if method == "editMessageText":
            old = {name: value for name, value in old.items() if name not in ("entities", "reply_markup")}
        self.screen[key] = {**old, **now}
        return self.screen[key]

    def fault(self, method: str) -> str:
        """The fault that is made now, if any."""
        with self.lock:
            if self.faults and method.startswith(self.faults[0][0]) and method != "sendChatAction":
                return self.faults.popleft()[1]
        return ""


def _check_words(text: str | None, entities: Any) -> None:
    if text is None:
        return
    if not text.strip():
        raise Refusal(400, "Bad Request: message text is empty")
    size = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if size > 4096:
        raise Refusal(400, "Bad Request: message is too long")
    for each in entities:
        if each["length"] < 1 or each["offset"] < 0 or each["offset"] + each["length"] > size:
            raise Refusal(400, "Bad Request: can't parse entities: out of the text")
        if "bad" in each.get("url", ""):
            raise Refusal(400, "Bad Request: can't parse entities: wrong url")


def buttons_of(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The buttons below a message."""
    return [button for row in shown.get("reply_markup", {}).get("inline_keyboard", ()) for button in row]


def values(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What a form holds, as the values that it stands for. A text stays a text where the API asks for one."""
    found: dict[str, Any] = {}
    for name, value in raw.items():
        if isinstance(value, bytes) or name in ("text", "caption", "callback_query_id", "file_id", "title", "address",
                                                "secret_token", "url", "action"):  # fmt: skip
            found[name] = value
            continue
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    for name, value in list(found.items()):
        if isinstance(value, str) and value.startswith("attach://"):
            found[name] = found.pop(value.removeprefix("attach://"))
    return found


class Handler(BaseHTTPRequestHandler):
    """One connection; `fake` is what it belongs to."""

    fake: Fake
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        token, _, id = self.path.removeprefix("/file/bot").partition("/")
        if token != self.fake.token or id not in self.fake.files:
            return self._send(404, b"not found")
        data, asked = self.fake.files[id], self.headers.get("Range", "")
        if not asked or not self.fake.ranges:
            return self._send(200, data)
        first, last = map(int, asked.removeprefix("bytes=").split("-"))
        return self._send(206 if first < len(data) else 416, data[first : last + 1])

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(size)
        if len(body) < size:  # whoever asked was cut off
            return self._cut()
        token, _, method = self.path.removeprefix("/bot").partition("/")
        fault = self.fake.fault(method)
        if fault == "drop":
            return self._cut()
        if fault == "slow":
            time.sleep(0.3)
        if fault.isdecimal():
            more = {"parameters": {"retry_after": 1}} if fault == "429" else {}
            return self._json(int(fault), {"ok": False, "error_code": int(fault), "description": "Oh", **more})
        if fault == "garbage":
            return self._send(200, b'{"ok": tru')
        try:
            if token != self.fake.token:
                raise Refusal(401, "Unauthorized")
            result = self.fake.answer(method, self._given(body), self._gone)
        except Refusal as error:
            more = {"parameters": error.parameters} if error.parameters else {}
            return self._json(error.status, {"ok": False, "description": str(error), **more})
        return self._cut() if fault == "lost" else self._json(200, {"ok": True, "result": result})

    def _given(self, body: bytes) -> dict[str, Any]:
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/"):
            return values(dict(parse_qsl(body.decode(), keep_blank_values=True)))
        head = f"Content-Type: {kind}\r\n\r\n".encode()
        parts = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        raw: dict[str, Any] = {}
        for part in parts.iter_parts():
            name = part.get_param("name", header="content-disposition")
            content = part.get_payload(decode=True)
            raw[str(name)] = content if part.get_filename() else bytes(content or b"").decode()
        return values(raw)

    def _gone(self) -> bool:
        ready, _, _ = select.select([self.connection], [], [], 0)
        return bool(ready) and not self.connection.recv(1, socket.MSG_PEEK)

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _json(self, status: int, value: Any) -> None:
        self._send(status, json.dumps(value).encode())

    def _send(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)
        except OSError:  # whoever asked has gone
            self.close_connection = True
