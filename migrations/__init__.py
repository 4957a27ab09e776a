"""Alembic migrations of the ops database; the tables themselves are declared by the packages that own them."""
