"""what comparing needs: saved views, errands of the worker, where a run comes from, and what was forecast of it

Plain ALTER TABLE: a batch would copy the table, and lose that its ids are never used again.
"""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

import app.db

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


OLD_BOARD = 'ix_run_status_fingerprint_import_id_perplexity_key_baseline_key_experiment_id'
BOARD = ['status', 'fingerprint', 'import_id', 'perplexity_key', 'experiment_id', 'configuration', 'baseline_key']


def upgrade() -> None:
    op.add_column('run', sa.Column('cloned_from', sa.Integer(), nullable=True))
    op.add_column('run', sa.Column('sweep', sa.JSON(), nullable=True))
    op.add_column('run', sa.Column('forecast', sa.JSON(), nullable=True))
    op.add_column('run', sa.Column('configuration', sa.String(), nullable=True))
    _fill_configuration()
    op.drop_index(OLD_BOARD, 'run')
    op.create_index('ix_run_board', 'run', BOARD)
    op.create_index(op.f('ix_run_configuration'), 'run', ['configuration'])
    op.create_index(op.f('ix_run_cloned_from'), 'run', ['cloned_from'])
    op.create_table(
        'savedview',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('name', sa.String(), nullable=False),
        sa.Column('query', sa.String(), nullable=False),
        sa.Column('created_at', app.db.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_savedview')),
        sa.UniqueConstraint('name', name=op.f('uq_savedview_name')),
    )
    op.create_table(
        'errand',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('kind', sa.String(), nullable=False),
        sa.Column('request', sa.JSON(), nullable=False),
        sa.Column('run_id', sa.Integer(), nullable=True),
        sa.Column('status', sa.String(), nullable=False),
        sa.Column('waits_for', sa.String(), nullable=True),
        sa.Column('answer', sa.JSON(), nullable=True),
        sa.Column('error', sa.JSON(), nullable=True),
        sa.Column('tries', sa.Integer(), nullable=False),
        sa.Column('owner', sa.String(), nullable=True),
        sa.Column('lease_boot', sa.String(), nullable=True),
        sa.Column('lease_until', sa.Float(), nullable=True),
        sa.Column('created_at', app.db.UtcDateTime(), nullable=False),
        sa.Column('finished_at', app.db.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(['run_id'], ['run.id'], name=op.f('fk_errand_run_id_run'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_errand')),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f('ix_errand_status'), 'errand', ['status'])
    op.create_index(op.f('ix_errand_run_id'), 'errand', ['run_id'])


def _fill_configuration() -> None:
    """The same for runs that differ in nothing but their seed, as app.configuration has it."""
    database = op.get_bind()
    rows = []
    for run_id, text in database.execute(sa.text('SELECT id, config FROM run')):
        config = json.loads(text)
        training = {name: value for name, value in config.get('training', {}).items() if name != 'seed'}
        text = json.dumps({**config, 'training': training}, sort_keys=True, ensure_ascii=False)
        rows.append({'id': run_id, 'key': hashlib.sha256(text.encode()).hexdigest()[:32]})
    if rows:
        database.execute(sa.text('UPDATE run SET configuration = :key WHERE id = :id'), rows)


def downgrade() -> None:
    op.drop_table('errand')
    op.drop_table('savedview')
    op.drop_index(op.f('ix_run_cloned_from'), 'run')
    op.drop_index(op.f('ix_run_configuration'), 'run')
    op.drop_index('ix_run_board', 'run')
    old = ['status', 'fingerprint', 'import_id', 'perplexity_key', 'baseline_key', 'experiment_id']
    op.create_index(OLD_BOARD, 'run', old)
    op.drop_column('run', 'configuration')
    op.drop_column('run', 'forecast')
    op.drop_column('run', 'sweep')
    op.drop_column('run', 'cloned_from')
