"""A time stamping authority on this machine: its certificates and stamps are made by `openssl ts`."""

import subprocess
from pathlib import Path

from cryptography import x509

from spine.services.proof.timestamp import read_roots

CONFIGURATION = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = authority
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[stamping]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = critical, timeStamping
[authority]
serial = {directory}/serial
signer_cert = {directory}/signer.pem
signer_key = {directory}/signer.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_chain = no
"""
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """Answers queries; `root` is the file of the certificate to trust."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.root = directory / "root.pem"
        (directory / "tsa.cnf").write_text(CONFIGURATION.format(directory=directory))
        (directory / "serial").write_text("01\n")
        self._run(
            *("req", "-x509", *KEY, "-keyout", "root.key", "-out", "root.pem"),
            *("-days", "30", "-config", "tsa.cnf", "-extensions", "ca", "-subj", "/CN=Test root"),
        )
        self._run("req", *KEY, "-keyout", "signer.key", "-out", "signer.csr", "-config", "tsa.cnf")
        self._run(
            *("x509", "-req", "-in", "signer.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"),
            *("-out", "signer.pem", "-days", "30", "-extfile", "tsa.cnf", "-extensions", "stamping"),
        )

    def roots(self) -> list[x509.Certificate]:
        """The certificate to trust, read."""
        return read_roots(self.root.read_bytes())

    def answer(self, query: bytes) -> bytes:
        """The reply to a query, both as RFC 3161 has them."""
        (self._directory / "query").write_bytes(query)
        self._run(
            *("ts", "-reply", "-config", "tsa.cnf", "-section", "authority", "-queryfile", "query", "-out", "reply")
        )
        return (self._directory / "reply").read_bytes()

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._directory, capture_output=True, check=True)
