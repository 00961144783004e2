"""What describes the environment in which a run was made: attributes that OpenTelemetry names for a resource.

Anything else of a resource is read as a payload is, with that permission. Command lines hold secrets, so they are no
part of what is shown.
"""

from collections.abc import Sequence
from typing import Final

from spine.contracts.capture import EnvironmentInput
from spine.contracts.errors import TooLarge, ValidationFailed

MAX_GIVEN: Final = 64
MAX_NAME: Final = 200
MAX_VALUE: Final = 1_000

PREFIXES: Final = (
    *("service.", "telemetry.", "deployment.", "host.", "os.", "process.", "container.", "k8s.", "cloud.", "faas."),
    *("device.", "webengine."),
)
NOT_SHOWN: Final = ("process.command",)


def is_environment(name: str) -> bool:
    """Whether an attribute describes where a run was made, and may be shown to whoever may read runs."""
    return name.startswith(PREFIXES) and not name.startswith(NOT_SHOWN)


def check_environment(given: Sequence[EnvironmentInput], field: str) -> None:
    """Raise for too many attributes, one twice, a name that is none of an environment, or a value that is too long."""
    if len(given) > MAX_GIVEN:
        raise TooLarge("the number of attributes", MAX_GIVEN, field=field)
    if len({one.name for one in given}) < len(given):
        raise ValidationFailed("two attributes have the same name", field=field)
    for one in given:
        if not is_environment(one.name) or len(one.name) > MAX_NAME:
            raise ValidationFailed("an attribute is named as OpenTelemetry names those of a resource", field=field)
        if not one.value:
            raise ValidationFailed("what has no value is left out", field=field)
        if len(one.value) > MAX_VALUE:
            raise TooLarge("an attribute's value", MAX_VALUE, field=field)
