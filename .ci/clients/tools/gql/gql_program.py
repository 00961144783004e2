"""A program on gql: the schema by introspection, a query built from it, a document validated against it and sent."""

import asyncio
import os
from typing import Any

from gql import Client, gql
from gql.dsl import DSLQuery, DSLSchema, dsl_gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.websockets import WebsocketsTransport

PATIENCE_S = 10.0
URL = f"{os.environ['HOC_URL']}/graphql"
HEADERS = {"Authorization": f"Bearer {os.environ['HOC_KEY']}"}
INBOX = gql("query Inbox($first: Int!) { signals(first: $first) { totalCount nodes { id severity } } }")

LEDGER = gql("subscription Ledger { auditEntryAppended { events { entry { operation } } } }")
SET_PRICE = gql("""mutation { setModelPrice(input: { provider: "client", model: "tools", source: "gql",
    inputUsdPerMillion: "1", outputUsdPerMillion: "1" }) { userErrors { message } } }""")


async def main() -> None:
    """Introspect, ask in both ways, see what comes without a key, follow what happens."""
    transport = AIOHTTPTransport(url=URL, headers=HEADERS)
    async with Client(transport=transport, fetch_schema_from_transport=True) as session:
        assert session.client.schema
        built = await session.execute(newest_runs(DSLSchema(session.client.schema)))
        assert [set(run) for run in built["runs"]["nodes"]] == [{"id", "costUsd", "evidence"}] * 3
        INBOX.variable_values = {"first": 2}
        inbox = (await session.execute(INBOX))["signals"]
        assert len(inbox["nodes"]) == min(2, inbox["totalCount"])
    assert await codes_without_key() == ["UNAUTHENTICATED"]
    async with asyncio.timeout(PATIENCE_S):
        await follow()
    print("introspection, a query built from it, a validated document, live updates")


def newest_runs(schema: DSLSchema) -> Any:
    """Three runs with a part of their evidence, by gql's own language."""
    run, evidence, source = schema.Run, schema.RunEvidence, schema.EvidenceSource
    sources = run.evidence.select(evidence.sources.select(source.domain, source.status))
    nodes = schema.RunConnection.nodes.select(run.id, run.costUsd, sources)
    return dsl_gql(DSLQuery(schema.Query.runs(first=3).select(nodes)))


async def follow() -> None:
    """Set a price once the subscription is heard, and wait until the ledger tells of it."""
    payload = {"authorization": HEADERS["Authorization"]}
    transport = WebsocketsTransport(url=URL.replace("http", "ws", 1), init_payload=payload)
    async with Client(transport=transport) as session:
        changed = False
        async for batch in session.subscribe(LEDGER):
            operations = [event["entry"]["operation"] for event in batch["auditEntryAppended"]["events"]]
            if not changed:
                await session.execute(SET_PRICE)
                changed = True
            elif operations == ["analytics.set_model_price"]:
                return


async def codes_without_key() -> list[str]:
    """The error codes of a request that presents no key."""
    async with Client(transport=AIOHTTPTransport(url=URL)) as session:
        try:
            await session.execute(gql("{ viewer { role } }"))
        except TransportQueryError as refused:
            return [error["extensions"]["code"] for error in refused.errors or ()]
    return []


if __name__ == "__main__":
    asyncio.run(main())
