"""The store by TLS: its authority is checked, and so is our certificate."""

import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.store.clients import edge_client, listening_client, queue_client, worker_client

CLIENTS = [edge_client, worker_client, listening_client, queue_client]


class Authority:
    """It signs certificates for this machine, as files in a folder."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self._key.public_key(), is_authority=True)
        self.file = self._write(name, self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name):
        """The files of a new certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key.public_key(), is_authority=False)
        made = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return self._write(f"{name}-cert", pem), self._write(f"{name}-key", made)

    def _sign(self, name, key, *, is_authority):
        now = datetime.now(UTC)
        alternative = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name, content):
        path = self.folder / f"{self.name}-{name}.pem"
        path.write_bytes(content)
        return str(path)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "store")


@pytest.fixture
def port(authority, valkey_socket):
    """A port that leads to the store by TLS, for those with a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("server"))
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=(server, context, valkey_socket), daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def serve(server, context, store):
    with suppress(OSError):
        while True:
            accepted, _ = server.accept()
            threading.Thread(target=link, args=(accepted, context, store), daemon=True).start()


def link(accepted, context, store):
    with (
        accepted,
        suppress(OSError),
        context.wrap_socket(accepted, server_side=True) as near,
        socket.socket(socket.AF_UNIX) as far,
    ):
        far.connect(store)
        # Nothing here is said twice before it was answered.
        while asked := near.recv(65536):
            far.sendall(asked)
            near.sendall(far.recv(65536))


def url(port, authority, certificate, key):
    files = f"ssl_ca_certs={authority}&ssl_certfile={certificate}&ssl_keyfile={key}"
    return f"rediss://127.0.0.1:{port}?{files}"


@pytest.mark.parametrize("make", CLIENTS)
def test_each_client_proves_itself_and_has_the_store_prove_itself(make, port, authority):
    with make(url(port, authority.file, *authority.issue("client"))) as client:
        assert client.ping()


@pytest.mark.parametrize("make", CLIENTS)
def test_strangers_are_refused_on_both_sides(make, port, authority, tmp_path):
    stranger = Authority(tmp_path, "stranger")
    ours, theirs = authority.issue("client"), stranger.issue("client")
    for wrong in (url(port, stranger.file, *ours), url(port, authority.file, *theirs)):
        with make(wrong) as client, pytest.raises(RedisConnectionError):
            client.get("key")
