"""How uvicorn speaks HTTP and WebSocket for us: small messages, pings, and nobody waits for a peer that is gone."""

from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from resolvers.http.patience import ImpatientProtocol

PING_S: Final = 10.0


class SocketProtocol(WebSocketsSansIOProtocol):
    """Aborts a connection whose peer answers no ping: closing it in order would wait until the peer takes the rest."""

    def keepalive_timeout(self) -> None:
        """Drop it at once."""
        super().keepalive_timeout()
        self.transport.abort()


def uvicorn_arguments(max_message_bytes: int) -> dict[str, Any]:
    """The part of uvicorn's configuration that is about protocols."""
    return {
        "http": ImpatientProtocol,
        "ws": SocketProtocol,
        "ws_max_size": max_message_bytes,
        "ws_ping_interval": PING_S,
        "ws_ping_timeout": PING_S,
        "ws_per_message_deflate": False,  # costs more than it saves on a local network, and memory for each socket
    }
