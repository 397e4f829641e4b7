"""What the authors of the workspace tools would say of them: mail, calendar, drive."""

from __future__ import annotations

from gitu_core.model import ToolSpec

_MAIL = {"id_": "reference:email", "subject": "name", "sender": "reply", "timestamp": "when"}
_MAIL_BY = {"": "outside", "id_": "system", "timestamp": "system", "status": "system", "read": "system"}
_SENT_BY = {**_MAIL_BY, "recipients": "principal", "cc": "principal", "bcc": "principal", "subject": "principal"}
_SENT = {**_MAIL, "recipients": "wrote", "cc": "wrote", "bcc": "wrote"}
_EVENT = {"id_": "reference:event", "title": "name", "start_time": "when", "participants": "recipient"}
_EVENT_BY = {"": "outside", "id_": "system", "start_time": "system", "end_time": "system", "status": "system",
             "participants": "system", "all_day": "system"}  # fmt: skip
_FILE = {"id_": "reference:file", "filename": "name", "size": "size", "last_modified": "when",
         "shared_with.@": "recipient"}  # fmt: skip
_FILE_BY = {"": "outside", "id_": "system", "size": "system", "last_modified": "system", "owner": "system",
            "shared_with": "system"}  # fmt: skip
_CONTACT_BY = {"": "outside"}


def _reads(name: str, records: dict[str, str], writers: dict[str, str]) -> ToolSpec:
    return ToolSpec(name, name, records=records, writers=writers)


_READING = [
    *(_reads(name, _MAIL, _MAIL_BY) for name in ("get_unread_emails", "get_received_emails", "search_emails")),
    _reads("get_sent_emails", _SENT, _SENT_BY),
    _reads("get_draft_emails", _MAIL, _MAIL_BY),
    *(_reads(name, {"name": "name", "email": "recipient"}, _CONTACT_BY)
      for name in ("search_contacts_by_name", "search_contacts_by_email")),
    ToolSpec("get_current_day", "The date of today.", writers={"": "system"}),
    *(_reads(name, _EVENT, _EVENT_BY) for name in ("search_calendar_events", "get_day_calendar_events")),
    *(_reads(name, _FILE, _FILE_BY)
      for name in ("search_files_by_filename", "get_file_by_id", "list_files", "search_files")),
]  # fmt: skip

_ACTING = [
    ToolSpec(
        "send_email", "Sends an email.", effects=("send",),
        roles={"recipients": "recipient", "cc": "recipient", "bcc": "recipient", "subject": "title", "body": "body",
               "attachments.*.file_id": "reference:file", "attachments.*.type": "option"},
        asked=("send", "email", "mail", "write email", "write to", "reply", "respond", "answer email", "forward",
               "inform", "notify", "attach", "schicke", "sende", "antworte"),
        records=_MAIL, writers=_MAIL_BY,
    ),
    ToolSpec(
        "delete_email", "Deletes an email.", effects=("write",), roles={"email_id": "reference:email"}, reversible=True,
        asked=("delete email", "delete mail", "delete message", "remove email", "trash email", "erase email",
               "get rid email"),
    ),
    ToolSpec(
        "create_calendar_event", "Creates an event and invites its participants.", effects=("write", "send"),
        roles={"title": "title", "start_time": "when", "end_time": "when", "description": "body", "location": "place",
               "participants": "recipient"}, reversible=True,
        asked=("create event", "create meeting", "create appointment", "create reminder", "add event", "add calendar",
               "add appointment", "add meeting", "make event", "make appointment", "put calendar", "set up", "schedule",
               "book event", "book meeting", "book appointment", "book hour", "book time", "book calendar",
               "plan event", "plan meeting", "arrange event", "arrange meeting", "organize", "organise", "invite",
               "block"),
        records=_EVENT, writers=_EVENT_BY,
    ),
    ToolSpec(
        "cancel_calendar_event", "Cancels an event and tells its participants.", effects=("write", "send"),
        roles={"event_id": "reference:event"}, audience="others",
        asked=("cancel", "call off", "delete event", "remove event", "delete appointment", "delete meeting",
               "remove appointment", "remove meeting"),
    ),
    ToolSpec(
        "reschedule_calendar_event", "Moves an event and tells its participants.", effects=("write", "send"),
        roles={"event_id": "reference:event", "new_start_time": "when", "new_end_time": "when"}, reversible=True,
        audience="others", records=_EVENT, writers=_EVENT_BY,
        asked=("reschedule", "postpone", "move event", "move meeting", "move appointment", "move to", "shift", "delay",
               "push", "bring forward", "change event", "change time", "change date", "change appointment"),
    ),
    ToolSpec(
        "add_calendar_event_participants", "Invites people to an event.", effects=("write", "send"),
        roles={"event_id": "reference:event", "participants": "recipient"}, records=_EVENT, writers=_EVENT_BY,
        asked=("add participant", "add event", "add meeting", "add attendee", "add guest", "add to", "invite",
               "include participant", "include event"),
    ),
    ToolSpec(
        "create_file", "Creates a file.", effects=("write",), roles={"filename": "title", "content": "body"},
        audience="self", reversible=True, records=_FILE, writers=_FILE_BY,
        asked=("create file", "create document", "create list", "create spreadsheet", "create note", "make file",
               "make document", "write file", "write document", "save", "store", "draft document", "put file"),
    ),
    ToolSpec(
        "delete_file", "Deletes a file for good.", effects=("write",), roles={"file_id": "reference:file"},
        asked=("delete file", "delete document", "remove file", "remove document", "erase file", "get rid file"),
    ),
    ToolSpec(
        "append_to_file", "Adds text at the end of a file.", effects=("write",),
        roles={"file_id": "reference:file", "content": "body"}, reversible=True, records=_FILE, writers=_FILE_BY,
        asked=("append", "add file", "add document", "add list", "add to", "write file", "write document", "extend",
               "put list", "put file", "insert", "update file", "update list"),
    ),
    ToolSpec(
        "share_file", "Lets somebody see or change a file.", effects=("write", "send"),
        roles={"file_id": "reference:file", "email": "recipient", "permission": "option"}, reversible=True,
        asked=("share", "give access", "grant access", "let read", "let edit"), records=_FILE, writers=_FILE_BY,
    ),
]  # fmt: skip

TOOLS = {spec.name: spec for spec in (*_READING, *_ACTING)}
