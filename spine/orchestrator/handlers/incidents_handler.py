"""Incidents: reading them. They are opened by what happens to runs, never by hand."""

from datetime import datetime
from uuid import UUID

from domains.incidents import driver, engine
from spine.contracts.enums import ChangeKind, OperationKind, Permission, Topic
from spine.contracts.events import Event, Feed, Follow, IncidentUpdate
from spine.contracts.evidence import IncidentsByKey, IncidentSummary, ListIncidents
from spine.contracts.operations import Operation
from spine.contracts.paging import Page
from spine.orchestrator.context import ReadContext, StreamContext
from spine.orchestrator.handlers.events_handler import check_follow
from spine.services.ids import node_id
from spine.storage.keyset import Keyset, page_of

INCIDENTS = Keyset("incidents.list", (datetime, UUID))


async def list_incidents(ctx: ReadContext, request: ListIncidents) -> Page[IncidentSummary]:
    """A page of incidents, newest first."""
    whole = driver.list_incidents(request.filter)
    counted = driver.count_incidents(request.filter) if request.count else None
    rows, total = await ctx.session.fetch_counted(INCIDENTS.read(whole, driver.ORDER, request.page), counted)
    return page_of(rows, request.page.first, lambda one: INCIDENTS.cursor(one.created_at, one.key), total)


async def incidents_by_key(ctx: ReadContext, request: IncidentsByKey) -> dict[UUID, IncidentSummary]:
    """The incidents that exist of these keys."""
    return {one.key: one for one in await ctx.session.fetch(driver.incidents_by_key(request.incident_keys))}


async def incident_updates(ctx: StreamContext, request: Follow) -> Feed[IncidentUpdate]:
    """Incidents as they are opened, withdrawn and restored."""
    return await ctx.follow(Topic.INCIDENTS, request, _incident_update)


def _incident_update(event: Event, cursor: str) -> IncidentUpdate:
    shown = None if event.kind is ChangeKind.WITHDRAWN else event.key
    return IncidentUpdate(
        cursor=cursor,
        kind=event.kind,
        occurred_at=event.occurred_at,
        incident_id=node_id("Incident", event.key),
        incident_key=shown,
    )


OPERATIONS = (
    Operation(
        name="incidents.updates",
        kind=OperationKind.STREAM,
        request=Follow,
        result=Feed[IncidentUpdate],
        handler=incident_updates,
        permission=Permission.INCIDENTS_READ,
        cross_domain_deps=(),
        cost=10,
        validate=check_follow,
        summary="Incidents as they are opened, withdrawn and restored.",
    ),
    Operation(
        name="incidents.list",
        kind=OperationKind.READ,
        request=ListIncidents,
        result=Page[IncidentSummary],
        handler=list_incidents,
        permission=Permission.INCIDENTS_READ,
        cross_domain_deps=(),
        cost=5,
        validate=engine.check_list,
        summary="A page of incidents, newest first.",
    ),
    Operation(
        name="incidents.by_key",
        kind=OperationKind.READ,
        request=IncidentsByKey,
        result=IncidentSummary,
        handler=incidents_by_key,
        permission=Permission.INCIDENTS_READ,
        cross_domain_deps=(),
        cost=1,
        batch_key="incident_keys",
        summary="Incidents by key.",
    ),
)
