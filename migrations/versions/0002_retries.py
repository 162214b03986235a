"""what retries need to know: when a run tries again and at which batch size, and what each attempt ended of

Plain ALTER TABLE: a batch would copy the table, and lose that its ids are never used again.
"""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('run', sa.Column('not_before_boot', sa.String(), nullable=True))
    op.add_column('run', sa.Column('not_before', sa.Float(), nullable=True))
    op.add_column('run', sa.Column('forgiven', sa.Integer(), nullable=False, server_default='0'))
    op.add_column('run', sa.Column('batch_divisor', sa.Integer(), nullable=False, server_default='1'))
    op.add_column('attempt', sa.Column('cause', sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column('attempt', 'cause')
    op.drop_column('run', 'batch_divisor')
    op.drop_column('run', 'forgiven')
    op.drop_column('run', 'not_before')
    op.drop_column('run', 'not_before_boot')
