"""Drill: the provider's certificate has expired.

Expected: the question gets a told error, and not a byte of it, nor the key, leaves the app. With a
valid certificate from the same authority it is answered: that the app trusts it is not the reason.
"""

import asyncio
import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.asking import text_of
from tests.llm.wire_server import WORDS

pytestmark = pytest.mark.slow
DAY = datetime.timedelta(days=1)


def pair(folder, name, issuer=None, *, ends):
    """A certificate and its key in one file; without an issuer it is an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    parent, parent_key = issuer or (None, key)
    host = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(parent.subject if parent else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - 30 * DAY)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=parent is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .sign(parent_key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path, (made, key)


async def serve_tls(provider, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, ssl=context)
    return server, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def test_expired_certificate(start, enter, provider, tmp_path):
    today = datetime.datetime.now(datetime.UTC)
    trusted, authority = pair(tmp_path, "authority", ends=today + 10 * DAY)
    valid, _ = pair(tmp_path, "valid", authority, ends=today + DAY)
    expired, _ = pair(tmp_path, "expired", authority, ends=today - DAY)
    settings = {"SSL_CERT_FILE": str(trusted), "LLM_API_KEY": "k", "LLM_RETRIES": "0"}

    server, url = await serve_tls(provider, valid)
    browser = await enter(await start(LLM_BASE_URL=url, **settings))
    assert text_of(await browser.ask(await browser.new(), "Who are you?")) == "".join(WORDS)
    server.close()

    server, url = await serve_tls(provider, expired)
    provider.bytes_received = 0
    browser = await enter(await start(LLM_BASE_URL=url, **settings))
    status, problem = await browser.refused(await browser.new(), "Who are you?")
    assert status == 503
    assert problem["detail"] == "The model cannot be reached at the moment."
    assert provider.bytes_received == 0
    server.close()
