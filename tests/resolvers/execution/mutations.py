"""Mistakes that an executor may make, each planted in ours: whoever compares it with graphql-core must find them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from graphql import GraphQLInt
from graphql.pyutils import Path
from msgspec import structs

from resolvers.context import RequestContext
from resolvers.execution import compile as compiling
from resolvers.execution import plans, run
from resolvers.execution.classify import Classifying, Field
from resolvers.execution.code import Code
from resolvers.execution.run import PlannedExecutor

Plant = Callable[[pytest.MonkeyPatch], None]


def rewritten(pattern: str, replacement: str) -> Plant:
    """The code of plans, with something else in it."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        text = Code.text
        patch.setattr(Code, "text", lambda self: re.sub(pattern, replacement, text(self), flags=re.MULTILINE))

    return plant


def other_fields(change: Callable[[tuple[Field, ...]], tuple[Field, ...]]) -> Plant:
    """Other fields in each selection."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        select = Classifying._selection

        def selection(self: Classifying, *args: Any, **kwargs: Any) -> Any:
            made = select(self, *args, **kwargs)
            return structs.replace(made, fields=change(made.fields))

        patch.setattr(Classifying, "_selection", selection)

    return plant


def drop_aliases(patch: pytest.MonkeyPatch) -> None:
    other_fields(lambda fields: tuple(structs.replace(one, key=one.details[0].node.name.value) for one in fields))(
        patch
    )


def merge_nothing(patch: pytest.MonkeyPatch) -> None:
    below = Classifying._subfields
    patch.setattr(Classifying, "_subfields", lambda self, kind, details: below(self, kind, details[:1]))


def lose_the_path_of_deferred_fields(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(run, "Path", lambda parent, *_: parent or Path(None, "", None))


def forget_errors(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PlannedExecutor, "nulled", lambda *_: None)


def take_any_integer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiling, "UNUSUAL", {**compiling.UNUSUAL, GraphQLInt: "{0}.__class__ is not int"})


def ignore_conditions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(plans, "conditions", lambda *_: ())


def share_arguments_between_aliases(patch: pytest.MonkeyPatch) -> None:
    converted = PlannedExecutor._converted

    def first(self: PlannedExecutor, field: Field, info: Any) -> Any:
        known = self.__dict__.setdefault("known", {})
        if field.definition not in known:
            known[field.definition] = converted(self, field, info)
        return known[field.definition]

    patch.setattr(PlannedExecutor, "_converted", first)


def give_parents_each_others_values(patch: pytest.MonkeyPatch) -> None:
    load = RequestContext.load_waves

    async def swapped(self: RequestContext, waves: Any) -> Any:
        return [values[::-1] for values in await load(self, waves)]

    patch.setattr(RequestContext, "load_waves", swapped)


MISTAKES: dict[str, Plant] = {
    "an alias is dropped": drop_aliases,
    "keys are in another order": other_fields(lambda fields: fields[::-1]),
    "a field is lost": other_fields(lambda fields: fields[:-1] or fields),
    "fields that are selected twice are not merged": merge_nothing,
    "a path loses an index": rewritten(r"Path\((\w+|Path\([^()]*\)), len\(list\d+\), None\)", r"\1"),
    "a path's index is always 0": rewritten(r"len\(list\d+\)", "0"),
    "the path of a deferred field is its parent's": lose_the_path_of_deferred_fields,
    "a leaf's class is not looked at": rewritten(r"^( *)if .*: (x\d+) = run\.unusual.*$", r"\1pass"),
    "an object is not looked at": rewritten(r"^( *)if .*: run\.admit.*$", r"\1pass"),
    "a null is not skipped": rewritten(r"if (x\d*|item\d+) is not None:", "if True:"),
    "a null that is forbidden goes on too far": rewritten("except GraphQLError as error:", "except KeyError as error:"),
    "an error is forgotten": forget_errors,
    "an error is located once where it is selected twice": other_fields(
        lambda fields: tuple(structs.replace(one, details=one.details[:1]) for one in fields)
    ),
    "an integer may be of any size": take_any_integer,
    "conditions count once for all": ignore_conditions,
    "aliases share their arguments": share_arguments_between_aliases,
    "parents get each other's values": give_parents_each_others_values,
    "a list loses its last item": rewritten(r"^( *for item\d+ in x\d*):", r"\1[:-1]:"),
    "an enum is written as it is": rewritten(r"names\d+\.get\((\w+)\)", r"str(\1).lower()"),
    "a moment is written as it is": rewritten(r"(x\d+) = write\d+\((\w+)\)", r"\1 = str(\2)"),
    "an object counts twice": rewritten("made \\+= 1", "made += 2"),
}
