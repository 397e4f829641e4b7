"""Identity: how far an account is trusted, who is switched off, codes that link and pair accounts.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

from gitu_core.store.columns import index
from gitu_core.store.migrations import create, extend

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the table of codes, and what finds the accounts of a person and those who are switched off."""
    extend("people", "", index("people_off", "tenant id", where="enabled = 0"))
    extend("accounts", "trust=''", index("accounts_of", "tenant person created_at"))
    create("codes", "tenant* code:bytes* digest:bytes owner:bytes kind person tries:int expires_at:time body:bytes",
           index("codes_of", "tenant owner", unique=True), index("codes_due", "tenant expires_at"))  # fmt: skip


def downgrade() -> None:
    """Takes them away again; open codes are void, and every account is trusted as its channel is."""
    op.drop_table("@codes")
    op.drop_index("~accounts_of", "@accounts")
    op.drop_column("@accounts", "trust")
    op.drop_index("~people_off", "@people")
