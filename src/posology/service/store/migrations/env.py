"""Alembic runs this file: the migrations, on the connection that `migrate` opened."""

from alembic import context

from posology.service.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=False,  # the caller's transaction holds all of it
)
context.run_migrations()
