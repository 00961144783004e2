"""The contract of the API: its types, described; `schema.graphql` is the same as text.

The enums come first: Strawberry would make an undescribed enum of any that a field names before.
"""

from schema import enums, enums_proof

__all__ = ["enums", "enums_proof"]
