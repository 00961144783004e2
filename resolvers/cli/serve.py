"""`hoc serve`: the API, on the embedded database or on yours."""

from resolvers.cli import logs, server
from resolvers.cli.console import Steps, complain, say, until_interrupted
from resolvers.cli.options import DataDir, Host, Port, Workers, settings_of
from spine.bootstrap import installation


def serve(host: Host = None, port: Port = None, data_dir: DataDir = None, workers: Workers = None) -> None:
    """Serve GraphQL and OTLP until Ctrl-C; an empty data directory is initialised and migrated."""
    settings = settings_of(host=host, port=port, data_dir=data_dir, workers=workers)
    logs.configure(settings.log_level)
    listener = server.listen(settings.host, settings.port)  # before anything that takes time
    with until_interrupted(), Steps() as report, installation(settings, report) as unready:
        if unready is not None:
            complain(f"not ready ({unready}); run: hoc migrate")
        report("starting the server")
        server.run(settings, listener, lambda url: announce(url, report))


def announce(url: str, report: Steps) -> None:
    """Say where the server is."""
    report.done()
    say(f"HOC Spine serves GraphQL at {url}/graphql and takes OTLP at {url}/v1/traces; Ctrl-C stops it")
    say(f"In a browser: {url}/graphiql")
