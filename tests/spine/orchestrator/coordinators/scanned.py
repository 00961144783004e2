"""Looking for bytes in everything that the database holds of a tenant, as a thief of a dump would."""

import base64
from typing import Any

from spine.contracts.actors import Principal
from spine.storage.base import metadata
from tests.spine.orchestrator.coordinators.reported import connected


async def tables_with(superuser: dict[str, Any], principal: Principal, needle: bytes) -> list[str]:
    """The tables with a row of the tenant that holds these bytes: in bytea or text, as they are, as hex or base64."""
    forms = [needle.hex(), needle.hex().encode().hex(), base64.b64encode(needle).decode().rstrip("=")]
    if needle.isascii():
        forms.append(needle.decode())
    query = (
        "SELECT count(*) FROM {} t, unnest($1::text[]) f WHERE tenant_id = $2 AND "
        "(position(f IN t::text) > 0 OR position(f IN replace(t::text, '-', '')) > 0)"
    )
    async with connected(superuser) as connection:
        return [
            name
            for name in sorted(metadata.tables)
            if await connection.fetchval(query.format(name), forms, principal.tenant_id)
        ]
