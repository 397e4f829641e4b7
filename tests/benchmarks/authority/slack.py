"""What the authors of the Slack and web tools would say of them."""

from __future__ import annotations

from gitu_core.model import ToolSpec

_OUTSIDE = {"": "outside"}

_READING = [
    ToolSpec("get_channels", "All channels; whoever makes one names it.", writers=_OUTSIDE),
    ToolSpec("read_channel_messages", "Messages.", roles={"channel": "query"}, writers=_OUTSIDE),
    ToolSpec("read_inbox", "Messages.", roles={"user": "query"}, writers=_OUTSIDE),
    ToolSpec("get_users_in_channel", "Who is in a channel.", roles={"channel": "query"}, writers=_OUTSIDE),
    ToolSpec("get_webpage", "Gets a page.", roles={"url": "url"}, writers=_OUTSIDE),
]

_ACTING = [
    ToolSpec(
        "send_direct_message", "Writes to somebody.", effects=("send",),
        roles={"recipient": "recipient", "body": "body"},
        asked=("send", "message", "write message", "write to", "dm", "reply", "respond", "inform", "notify", "text",
               "forward", "let know", "give"),
    ),
    ToolSpec(
        "send_channel_message", "Writes into a channel.", effects=("send",),
        roles={"channel": "recipient", "body": "body"},
        asked=("send", "post", "write message", "write channel", "reply", "respond", "announce", "message", "forward",
               "share channel", "tell channel", "inform channel"),
    ),
    ToolSpec(
        "add_user_to_channel", "Lets somebody into a channel.", effects=("write", "send"), reversible=True,
        roles={"user": "recipient", "channel": "recipient"},
        asked=("add", "invite channel", "put channel", "bring channel"),
    ),
    ToolSpec(
        "invite_user_to_slack", "Invites somebody by mail.", effects=("write", "send"),
        roles={"user": "title", "user_email": "recipient"}, asked=("invite", "add slack", "add workspace"),
    ),
    ToolSpec(
        "remove_user_from_slack", "Takes somebody out of the workspace.", effects=("write",),
        roles={"user": "recipient"},
        asked=("remove", "kick", "delete user", "ban"),
    ),
    ToolSpec(
        "post_webpage", "Publishes a page.", effects=("send",), audience="others",
        roles={"url": "url", "content": "body"},
        asked=("post", "publish", "upload", "put website", "put page", "write website", "write page", "create page",
               "update website", "update page"),
    ),
]  # fmt: skip

TOOLS = {spec.name: spec for spec in (*_READING, *_ACTING)}
