"""Settings: from the environment (`HOC_…`, `DATABASE_URL`), from flags, else the defaults here.

Secrets are `SecretStr`, so printing settings never shows them.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from spine.services.proof.note import NoteError
from spine.services.proof.witness import WitnessAddress

MOST_POINTS = 2_000_000_000
"""GraphQL's Int holds them."""


class Settings(BaseSettings):
    """Everything that an installation may set."""

    model_config = SettingsConfigDict(env_prefix="HOC_", extra="ignore", populate_by_name=True)

    data_dir: Annotated[Path, Field(description="Where the embedded database and the key pepper live.")] = Path(".hoc")
    database_url: Annotated[
        SecretStr | None,
        Field(
            validation_alias=AliasChoices("DATABASE_URL", "database_url"),
            description="PostgreSQL as the app role; replaces the embedded database.",
        ),
    ] = None
    database_owner_url: Annotated[
        SecretStr | None,
        Field(
            validation_alias=AliasChoices("DATABASE_OWNER_URL", "database_owner_url"),
            description="PostgreSQL as the owner role, for migrations only.",
        ),
    ] = None
    database_direct_url: Annotated[
        SecretStr | None,
        Field(
            validation_alias=AliasChoices("DATABASE_DIRECT_URL", "database_direct_url"),
            description="PostgreSQL as the app role past a pooler, to hear of events; else DATABASE_URL.",
        ),
    ] = None
    host: Annotated[str, Field(description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="The port to listen on.")] = 8000
    workers: Annotated[int, Field(ge=1, le=64, description="How many server processes.")] = 1
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Field(description="The least level that is logged.")
    ] = "info"
    drain_s: Annotated[
        float, Field(ge=0, le=300, description="How long SIGTERM leaves the server serving, though not ready.")
    ] = 1
    metrics_token: Annotated[
        SecretStr | None,
        Field(min_length=1, description="Bearer token for /metrics; else only this machine reads it."),
    ] = None
    otlp_endpoint: Annotated[
        str | None, Field(pattern="^https?://", description="Where the server sends its own traces (OTLP over HTTP).")
    ] = None
    otlp_headers: Annotated[
        SecretStr | None, Field(description="Headers of those exports: name=value, comma-separated, percent-encoded.")
    ] = None
    pool_size: Annotated[int, Field(ge=1, le=100, description="Database connections of each process.")] = 10
    key_pepper: Annotated[
        SecretStr | None, Field(min_length=1, description="Pepper of key hashes; else a file in the data dir.")
    ] = None
    log_origin: Annotated[
        str, Field(pattern="^[A-Za-z0-9._/-]{1,100}$", description="How the names of the tenants' logs begin.")
    ] = "hoc-spine"
    log_key: Annotated[
        SecretStr | None,
        Field(min_length=1, description="Base64 of the log key's 32-byte seed; else a file in the data dir."),
    ] = None
    witnesses: Annotated[
        tuple[str, ...],
        NoDecode,
        Field(description="Who cosigns checkpoints: `vkey url` of each witness, comma-separated."),
    ] = ()
    tsa_url: Annotated[
        str | None, Field(pattern="^https?://", description="Who stamps checkpoints with the time (RFC 3161).")
    ] = None
    tsa_roots: Annotated[
        Path | None, Field(description="PEM file of the certificates that time stamps must lead to.")
    ] = None
    tsa_interval_s: Annotated[int, Field(ge=1, description="At most so often a tenant's log is stamped.")] = 60
    key_environment: Annotated[
        str, Field(pattern="^[a-z0-9]{1,12}$", description="The environment named inside new keys.")
    ] = "live"
    stalled_after_s: Annotated[int, Field(ge=1, description="Seconds of silence after which a live run stalls.")] = 60
    source_timeout_ms: Annotated[int, Field(ge=1, description="How long a read waits for a lock.")] = 150
    statement_timeout_ms: Annotated[int, Field(ge=1, description="How long a read may take.")] = 10_000
    event_retention_hours: Annotated[
        int, Field(ge=1, description="How long a subscription can be resumed: events are kept so long.")
    ] = 72
    cors_origins: Annotated[
        tuple[str, ...], NoDecode, Field(description="Origins whose pages may call the API, comma-separated.")
    ] = ()
    max_body_bytes: Annotated[int, Field(ge=1024, description="The largest GraphQL request body.")] = 1_000_000
    max_sockets: Annotated[int, Field(ge=1, description="WebSockets of one key that one process holds open.")] = 100
    max_socket_operations: Annotated[int, Field(ge=1, description="Operations at once on one WebSocket.")] = 20
    max_export_bytes: Annotated[int, Field(ge=1024, description="The largest OTLP export, inflated.")] = 20_000_000
    body_timeout_s: Annotated[float, Field(gt=0, description="How long a request's body may take to arrive.")] = 30
    max_depth: Annotated[int, Field(ge=1, le=50, description="How deep the fields of a query may nest.")] = 12
    max_introspection_depth: Annotated[
        int, Field(ge=1, le=50, description="How deep they may nest under __schema and __type.")
    ] = 20
    max_aliases: Annotated[int, Field(ge=0, description="How many aliases an operation may have.")] = 20
    max_tokens: Annotated[int, Field(ge=1, description="How many tokens a document may have.")] = 2_000
    max_directives: Annotated[int, Field(ge=0, description="How many directives an operation may have.")] = 50
    max_query_cost: Annotated[int, Field(ge=1, le=MOST_POINTS, description="How many points one query may cost.")] = (
        10_000
    )
    points_per_key: Annotated[int, Field(ge=1, le=MOST_POINTS, description="How many points a key may save up.")] = (
        50_000
    )
    points_per_second: Annotated[
        int, Field(ge=1, le=MOST_POINTS, description="How many points a key gets back each second.")
    ] = 1_000
    deadline_s: Annotated[float, Field(gt=0, description="How many seconds an execution may take in all.")] = 10.0
    max_work_ms: Annotated[
        int, Field(ge=1, description="Milliseconds of CPU that an execution may take while others wait.")
    ] = 250
    max_ingests: Annotated[int, Field(ge=1, description="Exports that one process handles at once.")] = 8

    @field_validator("points_per_key")
    @classmethod
    def hold_a_query(cls, given: int, info: ValidationInfo) -> int:
        """A key must be able to save up for the dearest query."""
        dearest = info.data.get("max_query_cost", 1)
        if given < dearest:
            raise ValueError(f"a key must be able to save up for a query, which may cost {dearest}")
        return given

    @field_validator("tsa_interval_s")
    @classmethod
    def trust_a_root(cls, given: int, info: ValidationInfo) -> int:
        """A stamp that is not verified is none."""
        if info.data.get("tsa_url") is not None and info.data.get("tsa_roots") is None:
            raise ValueError("HOC_TSA_URL needs HOC_TSA_ROOTS, or its stamps could be anybody's")
        return given

    @field_validator("witnesses")
    @classmethod
    def know_witnesses(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        """Each is a key for cosignatures and a URL."""
        for one in given:
            try:
                WitnessAddress.parse(one)
            except NoteError as error:
                raise ValueError(str(error)) from error
        return given

    @field_validator("cors_origins", "witnesses", mode="before")
    @classmethod
    def split_list(cls, given: object) -> object:
        """The environment gives one text."""
        return tuple(one.strip() for one in given.split(",") if one.strip()) if isinstance(given, str) else given
