"""What integrations offers to other domains: what a tenant says of documents."""

from domains.integrations import driver
from spine.contracts.ports import DocumentPolicies


class _DocumentPolicies:
    document_policy = staticmethod(driver.document_policy)


class IntegrationsBridge:
    """The door to integrations."""

    def document_policies_capability(self) -> DocumentPolicies:
        """Whether a tenant takes documents that are not in its list."""
        return _DocumentPolicies()
