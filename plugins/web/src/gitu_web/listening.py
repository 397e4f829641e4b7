"""What every connection of a person does with what happens in a turn."""

from __future__ import annotations

from gitu_core.contracts import (
    AnswerDelta,
    Conversation,
    ModelChosen,
    Progress,
    ToolFinished,
    ToolStarted,
    TurnEvent,
    TurnFinished,
)
from gitu_web.protocol import Delta, Ended, Finished, Started, Told, Typing, Working


def frame_of(conversation: Conversation, event: TurnEvent) -> Told:
    """What people are shown of an event. Arguments and results of tools are not: they may not be for them."""
    chat = conversation.thread
    match event:
        case AnswerDelta():
            return Delta(event.text, chat, event.reset)
        case ToolStarted():
            return Started(event.call.id, event.call.tool, chat)
        case ToolFinished():
            return Finished(event.call.id, event.call.tool, event.result.status == "ok", event.seconds, chat)
        case Progress():
            return Working(event.text, event.fraction, event.call, chat)
        case TurnFinished():
            return Ended(event.reply.status, chat)
        case ModelChosen():
            return Typing(chat)
