"""Accounts: making a tenant, saying who is asking, and listing what can be asked."""

import re

from domains.account import driver
from spine.contracts.access import CreateTenant, Nothing, OperationInfo, TenantCreated, Viewer
from spine.contracts.enums import AuditEntityType, DocumentMode, OperationKind, Permission
from spine.contracts.errors import NotFound, ValidationFailed
from spine.contracts.ledger import AuditEvent
from spine.contracts.operations import Operation
from spine.orchestrator.context import ReadContext, WriteContext

SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def check_slug(request: CreateTenant) -> None:
    """A tenant's name is a DNS label: lower case, digits and hyphens."""
    if not SLUG.fullmatch(request.slug):
        raise ValidationFailed("a tenant's name has 1 to 63 of a-z, 0-9 and -", field="tenant")


async def create_tenant(ctx: WriteContext, request: CreateTenant) -> TenantCreated:
    """Make the principal's tenant unless it exists."""
    created = await ctx.session.insert(driver.create_tenant(request.slug, ctx.now)) == 1
    if created:
        event = AuditEvent(
            event_type="TenantCreated",
            entity_type=AuditEntityType.TENANT,
            entity_id=str(ctx.principal.tenant_id),
            after={"slug": request.slug},
        )
        ctx.record(event)
    return TenantCreated(created)


async def viewer(ctx: ReadContext, request: Nothing) -> Viewer:  # noqa: ARG001 - every handler takes a request
    """Who is asking."""
    principal = ctx.principal
    policies = ctx.bridge("integrations").document_policies_capability()
    slugs, said = await ctx.session.fetch_together([driver.tenant_slug(), policies.document_policy()])
    if not slugs:
        raise NotFound("tenant", str(principal.tenant_id))
    mode = said[0].mode if said else DocumentMode.OFF
    return Viewer(principal.actor, slugs[0], principal.role, tuple(sorted(principal.permissions)), mode)


async def operations(ctx: ReadContext, request: Nothing) -> tuple[OperationInfo, ...]:  # noqa: ARG001
    """The registry as a table."""
    return tuple(
        OperationInfo(
            name=operation.name,
            kind=operation.kind,
            permission=operation.permission,
            cross_domain_deps=operation.cross_domain_deps,
            cost=operation.cost,
            summary=operation.summary,
        )
        for _, operation in sorted(ctx.operations.items())
    )


OPERATIONS = (
    Operation(
        name="account.create_tenant",
        kind=OperationKind.WRITE,
        request=CreateTenant,
        result=TenantCreated,
        handler=create_tenant,
        permission=Permission.BILLING_MANAGE,
        cross_domain_deps=(),
        cost=10,
        validate=check_slug,
        summary="Make the principal's tenant unless it exists.",
    ),
    Operation(
        name="account.viewer",
        kind=OperationKind.READ,
        request=Nothing,
        result=Viewer,
        handler=viewer,
        permission=None,
        cross_domain_deps=("integrations.document_policies_capability",),
        cost=1,
        summary="Who is asking.",
    ),
    Operation(
        name="spine.operations",
        kind=OperationKind.READ,
        request=Nothing,
        result=tuple[OperationInfo, ...],
        handler=operations,
        permission=None,
        cross_domain_deps=(),
        cost=1,
        summary="Every registered operation.",
    ),
)
