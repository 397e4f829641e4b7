"""The audit: who did what on whose word, chained.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

from gitu_core.store.columns import index
from gitu_core.store.migrations import create

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the tables. What was done before is not in the audit."""
    # fmt: off
    create("audit",
           "tenant* n:big* id person session turn at:time kind subject outcome digest:bytes hash:bytes body:bytes?",
           index("audit_id", "tenant id", unique=True),
           index("audit_turn", "tenant turn n"),
           index("audit_person", "tenant person n"))
    # fmt: on
    create("audit_head", "tenant* n:big hash:bytes")


def downgrade() -> None:
    """Takes them away again; the audit is lost."""
    for name in ("audit_head", "audit"):
        op.drop_table(f"@{name}")
