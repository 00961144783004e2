"""Incidents."""

from typing import Annotated, Any

import strawberry

from resolvers.context import Info
from resolvers.paging import DEFAULT_FIRST, UNSET, After, First, connection, counting, page_request
from schema.fields import field
from schema.incidents.incident import Incident, IncidentFilter
from schema.inputs import to_contract
from schema.relay import Connection
from spine.contracts import evidence

IncidentsWanted = Annotated[
    IncidentFilter | None, strawberry.argument(name="filter", description="Which incidents; all when absent.")
]


@strawberry.type
class IncidentsQuery:
    """The incidents domain's root fields."""

    @field("Incidents, newest first.", Connection[Incident], "incidents.list")
    async def incidents(
        self, info: Info, wanted: IncidentsWanted = UNSET, first: First = DEFAULT_FIRST, after: After = UNSET
    ) -> Any:
        """A keyset page of incidents."""
        chosen = to_contract(wanted) if wanted else evidence.IncidentFilter()
        request = evidence.ListIncidents(page=page_request(first, after), filter=chosen, count=counting(info))
        return await connection(info, "incidents.list", request)
