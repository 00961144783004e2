"""The pinned requirements cover what the project asks for, each with hashes, and name no package host."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.architecture.source import PROJECT

PINNED_FILES = ("constraints.txt", ".ci/clients/constraints-ariadne.txt", ".ci/clients/constraints-gql.txt")
PIN = re.compile(r"^([a-z0-9-]+)==(\S+) \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE)


def pins(file: str) -> dict[str, str]:
    """Package names to pinned versions, of those that carry hashes."""
    return {name: version for name, version, _ in PIN.findall((PROJECT / file).read_text("utf-8"))}


def asked() -> list[Requirement]:
    """Everything pyproject.toml asks for: to run, to develop and to build."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    lists = [project["project"]["dependencies"], project["build-system"]["requires"], *extras]
    return [Requirement(text) for requirements in lists for text in requirements]


@pytest.mark.parametrize("requirement", asked(), ids=str)
def test_a_requirement_is_pinned_within_its_range(requirement: Requirement) -> None:
    version = pins("constraints.txt").get(canonicalize_name(requirement.name))
    assert version is not None, "run: make constraints"
    assert requirement.specifier.contains(version), "run: make constraints"


@pytest.mark.parametrize("file", PINNED_FILES)
class TestPinnedFiles:
    def test_every_line_is_a_pin_with_hashes_or_a_comment(self, file: str) -> None:
        text = (PROJECT / file).read_text("utf-8")
        rest = PIN.sub("", text)
        assert [line for line in rest.splitlines() if line.strip() and not line.strip().startswith("#")] == []

    def test_no_package_host_or_local_path_is_written_down(self, file: str) -> None:
        assert re.findall(r"\w+://\S*|--(?!hash=)\S+|(?<!\w)/\w\S*", (PROJECT / file).read_text("utf-8")) == []


def test_the_client_generators_environment_is_another_one() -> None:
    assert pins("constraints.txt")["graphql-core"].startswith("3.3.")
    assert pins(".ci/clients/constraints-ariadne.txt")["graphql-core"].startswith("3.2.")
