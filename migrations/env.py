"""Alembic's entry point: runs on the connection that :mod:`runtime.migration` hands over."""

from alembic import context

from runtime.database import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
