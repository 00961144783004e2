"""Files of documents, as client tools write them: what is taken, and what is said of what is not."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from resolvers.cli.manifests import BadFiles, documents_of
from schema.export import SCHEMA_FILE
from spine.contracts.integrations import NewDocument
from tests.resolvers.conftest import SCHEMA

ROLE = "query Role {\n  viewer {\n    role\n  }\n}"
TENANT = "query Tenant {\n  viewer {\n    tenant\n  }\n}"


def digest(text: str, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, text.encode()).hexdigest()


def apollo(*operations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"format": "apollo-persisted-query-manifest", "version": 1, "operations": list(operations), **changes}


def operation(body: str = ROLE, **changes: Any) -> dict[str, Any]:
    return {"id": digest(body), "name": "Role", "type": "query", "body": body, **changes}


def read(path: Path, content: object) -> list[NewDocument]:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return documents_of([path], SCHEMA)


def problem(path: Path, content: object) -> str:
    with pytest.raises(BadFiles) as caught:
        read(path, content)
    (found,) = caught.value.problems
    assert found.startswith(str(path))
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "manifest.json"


class TestApollosManifest:
    def test_is_taken_whole(self, file: Path) -> None:
        found = read(file, apollo(operation(), operation(TENANT, name="Tenant")))
        assert found == [
            NewDocument(sha256=digest(ROLE), text=ROLE, name="Role"),
            NewDocument(sha256=digest(TENANT), text=TENANT, name="Tenant"),
        ]

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (apollo(operation(), version=2), "$.version"),
            (apollo(operation(), format="another"), "$.format"),
            (apollo(operation(id=1)), "$.operations[0].id"),
            (apollo({"id": "x"}), "name"),
            (apollo(operation(type="fragment")), "$.operations[0].type"),
            (apollo(operation(id=digest(TENANT))), "Role: the id is not the SHA-256 of the text"),
            (apollo(operation(name="Another")), "Another: the operation is called Role"),
            (apollo(operation("{ viewer { nothing } }")), "Role: 1:12: Cannot query field 'nothing'"),
        ],
    )
    def test_that_is_wrong_is_said_to_be(self, file: Path, content: object, told: str) -> None:
        assert told in problem(file, content)


class TestAMap:
    @pytest.mark.parametrize("prefix", ["", "sha256:"])
    def test_of_sha256s_is_taken_whole(self, file: Path, prefix: str) -> None:
        found = read(file, {prefix + digest(text): text for text in (ROLE, TENANT)})
        assert [(one.sha256, one.name) for one in found] == [(digest(ROLE), "Role"), (digest(TENANT), "Tenant")]

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ({digest(ROLE, "md5"): ROLE}, 'MD5; relay-compiler takes "algorithm": "SHA256"'),
            ({digest(ROLE, "sha1"): ROLE}, 'SHA-1; set hashAlgorithm: "sha256"'),
            ({"Role": ROLE}, "the id must be sha256:"),
            ({digest(TENANT): ROLE}, f"the id is not the SHA-256 of the text, which is {digest(ROLE)}"),
            ({digest(ROLE): 1}, "Expected `str`"),
            ([ROLE], "Expected `object`"),
            (b"{", "truncated"),
            (b"\xff", "malformed"),
        ],
    )
    def test_that_is_wrong_is_said_to_be(self, file: Path, content: object, told: str) -> None:
        assert told in problem(file, content)


class TestAGraphQLFile:
    def test_is_one_document_byte_by_byte(self, tmp_path: Path) -> None:
        content = (
            b"# \xc3\xb6\r\nquery A { viewer { ...V } }\r\nquery B { viewer { ...V } }\nfragment V on Viewer { role }\n"
        )
        (found,) = read(tmp_path / "both.graphql", content)
        assert (found.sha256, found.name) == (hashlib.sha256(content).hexdigest(), "A, B")
        assert found.text.encode() == content

    @pytest.mark.parametrize(
        ("content", "told"),
        [(b"\xff", "utf-8"), (b"fragment V on Viewer { role }", "never used"), (b"", "Syntax Error")],
    )
    def test_that_is_wrong_is_said_to_be(self, tmp_path: Path, content: bytes, told: str) -> None:
        assert told in problem(tmp_path / "wrong.graphql", content)

    def test_is_what_the_product_ships(self) -> None:
        shipped = sorted((SCHEMA_FILE.parent / "operations").glob("*.graphql"))
        assert len(documents_of(shipped, SCHEMA)) == len(shipped)


class TestFiles:
    def test_are_all_looked_at_before_anything_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "a.graphql").write_text("{")
        (tmp_path / "b.txt").write_text("{ viewer { role } }")
        files = [tmp_path / name for name in ("a.graphql", "b.txt", "absent.json")]
        with pytest.raises(BadFiles) as caught:
            documents_of(files, SCHEMA)
        problems = caught.value.problems
        assert [one.partition(":")[0] for one in problems] == [str(file) for file in files]
        assert (".graphql" in problems[1], "No such file" in problems[2]) == (True, True)
