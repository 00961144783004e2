"""GraphiQL for people: the page, its files and the example operations. Open to all: none of it is anybody's data.

The page runs scripts of our own origin alone and talks to it alone, by its content security policy: no `unsafe-inline`,
no `unsafe-eval`. `connect-src 'self'` covers the WebSocket of the same origin.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from resolvers.http.graphiql import examples
from resolvers.http.graphiql.assets import Assets
from resolvers.http.media import OFFERED, names

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES: Final = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
FOREVER: Final = "public, max-age=31536000, immutable"


def routes(assets: Assets) -> list[Route]:
    """Every route of the editor; `/` leads to it, too."""
    listed = examples.listed()

    async def page(_request: Request) -> Response:
        return Response(assets.page, headers={"content-security-policy": POLICY}, media_type="text/html")

    async def example_operations(_request: Request) -> Response:
        return Response(listed, media_type="application/json")

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if request.path_params["version"] != assets.version or name not in assets.files:
            return Response("no such file", 404, media_type="text/plain")
        kind = TYPES[name.rpartition(".")[2]]
        return Response(assets.files[name], headers={"cache-control": FOREVER}, media_type=kind)

    return [
        Route("/", to_page),
        Route("/graphiql", page),
        Route("/graphiql/examples.json", example_operations),
        Route("/graphiql/assets/{version}/{name}", asset),
    ]


async def to_page(_request: Request) -> Response:
    """Somebody who opened the server's address, or GraphQL's, in a browser looks for this."""
    return RedirectResponse("graphiql", 303)  # relative: it holds behind a proxy that adds a prefix


def is_browsing(request: Request) -> bool:
    """Whether a browser opened this address as a page: it asks for HTML, which no GraphQL client does."""
    if request.method != "GET":
        return False
    accepted = names(request.headers.get("accept", ""))
    return "text/html" in accepted and accepted.isdisjoint(OFFERED)
