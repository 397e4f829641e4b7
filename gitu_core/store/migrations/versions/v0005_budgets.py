"""Budgets: what envelopes hold and what is set aside in them; on whose timer or rule a call was made.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

from gitu_core.store.columns import index
from gitu_core.store.migrations import create, extend

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds the tables. Envelopes are counted from the usage that is there when a call first meets them."""
    # fmt: off
    create("envelopes", "tenant* key* person until:time cost:big tokens:big held_cost:big held_tokens:big")
    create("holds", "tenant* worker* id* envelope* person session turn plugin job model owner"
           " input_tokens:big output_tokens:big cost:big at:time")
    extend("usage", "job=''")
    extend("conversations", "", index("conversations_of", "tenant person bound_at"))
    # fmt: on


def downgrade() -> None:
    """Takes them away again; the ledger stays."""
    op.drop_index("~conversations_of", "@conversations")
    op.drop_column("@usage", "job")
    for name in ("holds", "envelopes"):
        op.drop_table(f"@{name}")
