"""The limits' numbers, as the installation sets them."""

from typing import Self

from msgspec import Struct

from spine.settings import Settings


class Bounds(Struct, frozen=True, kw_only=True):
    """How much a request may ask for and take; the settings say what each number means."""

    max_depth: int = 12
    max_introspection_depth: int = 20
    max_aliases: int = 20
    max_tokens: int = 2_000
    max_directives: int = 50
    max_query_cost: int = 10_000
    points_per_key: int = 50_000
    points_per_second: int = 1_000
    deadline_s: float = 10.0
    max_work_ms: int = 250

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The settings of the same names."""
        given = settings.model_dump(include=set(cls.__struct_fields__))
        return cls(**given)
