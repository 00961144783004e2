"""Which exceptions are failures that a command's user can do something about."""

from resolvers.http.graphiql.assets import AssetChanged
from spine.bootstrap import explained


def reason_of(error: Exception) -> str | None:
    """What to tell the user, in one line; None when it's a mistake of the program."""
    return str(error) if isinstance(error, AssetChanged) else explained(error)
