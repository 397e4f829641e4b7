"""Named points at every boundary where something is written, sent or done, so that a test can let a process die there.

    writer.begin          the writer took a group of records and has not begun its transaction
    writer.keys           new keys of people are written and not committed
    writer.rows           all rows of the group are written and not committed
    writer.commit         the group is committed and nobody was told yet
    inbox.accept.before   a message arrived and is not committed
    inbox.accept.after    the message is committed and its channel was not told yet
    turn.begun            the turn begins; what it begins with may be on disk or not
    model.before          a model is about to be asked; that it will be is on disk
    model.after           the model's answer is complete and not on disk
    call.intent           a call was decided on and its intent is not on disk
    call.dispatch         the intent is on disk and the tool does not run yet
    call.effect           the tool returned and its result is not recorded
    call.result           the result of the call is recorded
    turn.end.before       the turn has its reply and its end is not on disk
    turn.end.after        the end of the turn is on disk, with what is to be said
    outbox.before         what is to be said is on disk and was not sent
    outbox.after          it was sent and that is not on disk
    outbox.marked         what became of it is on its way to disk
    outbox.moved          what a channel did not take is on disk for another one and was not sent there
    park.before           a call needs a yes and nobody was asked
    park.after            the question is on disk and the turn waits
    answer.before         the answer to a question arrived and is not on disk
    answer.after          the answer is on disk and its turn does not go on yet
    notify.before         the assistant is about to say something of itself, and it is not on disk
    notify.after          what it says of itself is on disk and was not sent
    timer.claimed         a timer is due and taken, and did nothing yet
    timer.fired           the timer did its work and is not marked as done
    resume.before         a turn that was interrupted or waited is about to go on
    live.shown            words of an answer that grows were shown, and that is not on disk
    takeover.after        a dead worker's lease was ended and nothing of its work was taken up
    expire.after          questions that nobody answered are closed and their turns do not go on yet
    wake.before           somebody is to be told that there is work, and was not told yet
    wake.heard            a wake-up came from elsewhere and nothing was done
    wake.done             what a wake-up from elsewhere was about is done, and who carries wake-ups does not know yet

Nothing is armed unless `gitu_core.testing` did it; then `hit` costs one comparison.
"""

from __future__ import annotations

from collections.abc import Callable

POINTS: dict[str, str] = {
    name: where.strip() for name, _, where in
    (line.strip().partition(" ") for line in (__doc__ or "").splitlines() if line.startswith("    "))
}  # fmt: skip
"""Where each point lies, by name."""

armed: Callable[[str], None] | None = None
"""What is called with the name of each point that is reached; only tests set it."""


def hit(name: str) -> None:
    """The point *name* is reached."""
    if armed is not None:
        armed(name)
