"""Every hook that provides nothing; each notes that it was called, with what it was handed."""

from dataclasses import dataclass

from msgspec.structs import replace

from gitu_core import Text, hook

CALLED = {}


def _note(name, *values):
    CALLED.setdefault(name, []).append([type(value).__name__ for value in values])


@dataclass
class State:
    """Whether it runs."""

    running: bool = False


STATE = State()


async def gitu_start(host):
    """Opens what it needs, and sets a timer."""
    STATE.running = True
    _note("gitu_start")
    await host.schedule.at(0.0, "soon", {"n": 1})


async def gitu_stop(host):
    """Closes it."""
    STATE.running = False
    _note("gitu_stop")


def gitu_migrate(host, before, after):
    """Has nothing to move."""
    _note("gitu_migrate", before, after)


def gitu_timer(host, key, data, attempt):
    """A timer is due."""
    _note("gitu_timer", key, data, attempt)


def gitu_message_received(message):
    """A message was committed."""
    _note("gitu_message_received", message)


async def gitu_turn_started(turn):
    """A turn begins."""
    _note("gitu_turn_started", turn)


@hook(order=5, timeout=2.0)
def gitu_turn_finished(turn, reply):
    """A turn ended."""
    _note("gitu_turn_finished", turn, reply)


def gitu_model_called(turn, model, usage, seconds):
    """A model answered."""
    _note("gitu_model_called", turn, model, usage, seconds)


def gitu_tool_called(turn, call, result, seconds):
    """A tool call ended."""
    _note("gitu_tool_called", turn, call, result, seconds)


def gitu_delivered(outgoing, delivery):
    """A channel told what became of an outgoing message."""
    _note("gitu_delivered", outgoing, delivery)


@hook(thread=True)
def gitu_event(event):
    """Something else happened."""
    _note("gitu_event", event)


def gitu_filter_message(message):
    """Adds a word."""
    _note("gitu_filter_message", message)
    return replace(message, parts=(*message.parts, Text(" please")))


def gitu_filter_request(turn, request):
    """Cools the model down."""
    _note("gitu_filter_request", turn, request)
    return replace(request, temperature=0.0)


async def gitu_filter_call(turn, call, tool):
    """Doubles a number."""
    _note("gitu_filter_call", turn, call, tool)
    return replace(call, arguments={**call.arguments, "number": call.arguments["number"] * 2})


def gitu_filter_result(turn, call, result):
    """Marks a result."""
    _note("gitu_filter_result", turn, call, result)
    return replace(result, content=f"{result.content}!")


def gitu_filter_outgoing(outgoing):
    """Leaves it as it is."""
    _note("gitu_filter_outgoing", outgoing)


@hook(order=-1)
def gitu_guard_message(message):
    """Refuses one word."""
    _note("gitu_guard_message", message)
    return "not that word" if "forbidden" in message.text else None


def gitu_guard_call(turn, call, tool):
    """Refuses one number."""
    _note("gitu_guard_call", turn, call, tool)
    return "not that number" if call.arguments.get("number") == 26 else None


def gitu_guard_outgoing(outgoing):
    """Refuses nothing."""
    _note("gitu_guard_outgoing", outgoing)
