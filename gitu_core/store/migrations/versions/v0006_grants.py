"""Grants: what people allowed beforehand.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

from gitu_core.store.columns import index
from gitu_core.store.migrations import create

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the table."""
    create(
        "grants", "n:serial* tenant id person uses:int? expires_at:time? body:bytes",
        index("grants_id", "tenant id", unique=True),
        index("grants_of", "tenant person n"),
        index("grants_ended", "tenant expires_at", where="expires_at IS NOT NULL"),
    )  # fmt: skip


def downgrade() -> None:
    """Takes it away again: everybody is asked again."""
    op.drop_table("@grants")
