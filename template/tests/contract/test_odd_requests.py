"""What no description can say: bytes, depths and numbers that only an attacker sends.

Over a real socket to the app as a process of its own; some minutes, so `make contract` runs it.
"""

import asyncio
import http.client
import json
import re
import socket
from urllib.parse import urlsplit

import pytest

from tests.contract.sign_in import credential, headers

JSON = "application/json"
DEEP = 50_000
# What stands at every field of a body that an operation declares.
VALUES = {
    "NUL": '"a\\u0000b"',
    "a lone surrogate": '"\\ud800"',
    "two surrogates the wrong way round": '"\\udc00\\ud800"',
    "more digits than a float": "1" + "0" * 400,
    "more digits than Python reads": "9" * 5_000,
    "1e400": "1e400",
    "minus a lot": "-" + "9" * 40,
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "null": "null",
    "true": "true",
    "a list": "[[]]",
    "an object": '{"$gt": ""}',
    "an empty text": '""',
    "a long text": f'"{"x" * 200_000}"',
    "text that turns round": '"\\u202e\\u2066\\ufeff\\u0085"',
    "a deep list": "[" * 500 + "]" * 500,
}
BODIES = {
    "deep lists": (JSON, b"[" * DEEP + b"]" * DEEP),
    "deep lists without an end": (JSON, b"[" * DEEP),
    "deep objects": (JSON, b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "surrogates as bytes": (JSON, b'{"name": "\xed\xa0\x80"}'),
    "no UTF-8": (JSON, b'{"name": "\xff\xfe\x00"}'),
    "UTF-16 with its mark": (JSON, '{"name": "a"}'.encode("utf-16")),
    "UTF-8 with a mark": (JSON, b'\xef\xbb\xbf{"name": "a"}'),
    "a name twice": (JSON, b'{"email": "a@example.com", "email": {"x": 1}}'),
    "odd names": (JSON, b'{"__proto__": {}, "constructor": 1, "\\u0000": 1, "": []}'),
    "nothing": (JSON, b""),
    "null": (JSON, b"null"),
    "a number": (JSON, b"-0"),
    "half": (JSON, b'{"name": "'),
    "bytes": ("application/octet-stream", bytes(range(256))),
    "JSON that is called text": ("text/plain", b'{"name": "a"}'),
    "JSON in UTF-7": ("application/json; charset=utf-7", b'{"name": "+AAA-"}'),
    "XML": ("application/xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
    "a form": ("application/x-www-form-urlencoded", b"name=%00&name=%ED%A0%80&%=%"),
    "parts without an end": ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: a"),
    "parts without a border": ("multipart/form-data", b"--x--"),
    "a type of nothing": (";;;", b"{}"),
}


@pytest.fixture(scope="module")
def description(address):
    return json.loads(_ask(address, "GET", "/api/openapi.json")[1])


def _ask(address, method, path, body=None, more=None):
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    try:
        connection.request(method, path, body=body, headers=more or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _operations(description):
    for template, operations in description["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), template, operation


def _fields(description, operation):
    content = operation.get("requestBody", {}).get("content", {}).get(JSON, {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return description["components"]["schemas"].get(name, {}).get("properties", {})


@pytest.mark.slow
@pytest.mark.asvs("2.2.1", "1.4.2")
@pytest.mark.parametrize("who", ["nobody", "admin"])
def test_no_body_makes_an_operation_fail(address, description, who):
    found, asked = [], 0
    for method, template, operation in _operations(description):
        if method == "GET":
            continue
        path = re.sub(r"{[^}]+}", "00000000-0000-7000-8000-000000000000", template)
        fields = _fields(description, operation)
        odd = dict(BODIES)
        for name, value in VALUES.items():
            odd[name] = (JSON, f"{{{', '.join(f'{json.dumps(one)}: {value}' for one in fields)}}}")
        given = {} if who == "nobody" else headers(who, asyncio.run(credential(who)))
        for name, (kind, body) in odd.items():
            raw = body if isinstance(body, bytes) else body.encode()
            status, text = _ask(address, method, path, raw, given | {"Content-Type": kind})
            asked += 1
            if status >= 500 or str(status) not in operation["responses"]:
                found.append((method, template, name, status, text[:200]))
            elif status == 401 and who != "nobody":  # what was sent was good and ended the session
                given = headers(who, asyncio.run(credential(who)))
    assert found == []
    assert asked > 500


def _raw(first, *headers, host=b"x", body=b""):
    lines = [first + b" HTTP/1.1", *([b"Host: " + host] if host else []), *headers]
    return b"\r\n".join([*lines, b"", body])


ME, SIGN_IN = b"GET /api/me", b"POST /api/auth/sign-in"
CHUNKED = b"Transfer-Encoding: chunked"
RAW = {
    "NUL in a path": _raw(b"GET /api/users/\x00"),
    "bytes in a path": _raw(b"GET /api/\xff\xfe?q=\xed\xa0\x80"),
    "bytes in a cookie": _raw(ME, b"Cookie: __Host-session=\xff\xfe; \x80=\xed\xa0\x80"),
    "bytes in a credential": _raw(ME, b"Authorization: Bearer \xff\xed\xa0\x80"),
    "bytes in other headers": _raw(
        ME,
        b"X-Forwarded-For: \xff",
        b"User-Agent: \xed\xa0\x80",
        b"X-Request-ID: \xff",
        b"Origin: \xff",
        b"Sec-Fetch-Site: \xff",
        host=b"\xff",
    ),
    "a method of its own": _raw(b"FROBNICATE /api/me"),
    "a long method": _raw(b"A" * 9_000 + b" /"),
    "a long path": _raw(b"GET /" + b"a" * 60_000),
    "a long header": _raw(ME, b"X: " + b"a" * 200_000),
    "many headers": _raw(ME, *[b"X: a"] * 5_000),
    "no host": _raw(ME, host=b""),
    "two hosts": _raw(ME, b"Host: y"),
    "two lengths": _raw(SIGN_IN, b"Content-Length: 2", b"Content-Length: 30", body=b"{}"),
    "length and chunks": _raw(SIGN_IN, b"Content-Length: 2", CHUNKED, body=b"0\r\n\r\n"),
    "odd chunks": _raw(SIGN_IN, CHUNKED, body=b"ZZ\r\n"),
    "an address as path": _raw(b"GET http://evil.example/api/me"),
    "an asterisk": _raw(b"OPTIONS *"),
    "a tunnel": _raw(b"CONNECT evil.example:443"),
    "HTTP of old": b"GET /api/me HTTP/1.0\r\n\r\n",
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an upgrade": _raw(
        ME,
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    ),
}


@pytest.mark.slow
@pytest.mark.asvs("2.2.1", "16.5.3")
@pytest.mark.parametrize("name", RAW)
def test_no_bytes_on_the_wire_make_the_app_fail(address, name):
    where = urlsplit(address)
    with socket.create_connection((where.hostname, where.port), timeout=30) as wire:
        wire.sendall(RAW[name])
        wire.shutdown(socket.SHUT_WR)
        answer = b""
        while part := wire.recv(65_536):
            answer += part
    found = re.findall(rb"^HTTP/1\.[01] (\d{3})", answer)
    # Closed without a word, or told off.
    assert all(int(status) < 500 for status in found), answer[:500]
    assert b"Traceback" not in answer
    assert _ask(address, "GET", "/health/live")[0] == 200
