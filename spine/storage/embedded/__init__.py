"""A PostgreSQL server that comes with the program: run on a directory, shared by processes, never on the network."""

from spine.storage.embedded.errors import EmbeddedPostgresError
from spine.storage.embedded.server import EmbeddedPostgres
from spine.storage.embedded.session import PostgresAddress

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "PostgresAddress"]
