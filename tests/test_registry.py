"""How the job that builds the image opens a cloud's registry: over HTTP, as its pipeline."""

import base64
import http.client
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml
from pipelines import GITLAB, JENKINS

SESSION = {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "a/secret", "SessionToken": "a session"}
TAKEN = "AssumeRoleWithWebIdentity"
TOLD = {
    "sts.eu-central-1.amazonaws.com": {
        f"{TAKEN}Response": {f"{TAKEN}Result": {"Credentials": SESSION}}
    },
    "api.ecr.eu-central-1.amazonaws.com": {
        "authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:opens-ecr").decode()}]
    },
    "sts.googleapis.com": {"access_token": "of-the-job"},
    "iamcredentials.googleapis.com": {"accessToken": "opens-google"},
    "login.microsoftonline.com": {"access_token": "of-the-client"},
    "demo.azurecr.io": {"refresh_token": "opens-azure"},
}
Asked = list[tuple[str, str, dict[str, str], str]]


@pytest.fixture
def clouds(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """Whatever is asked by https answers here, by the name that was asked."""
    asked: Asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            host = self.headers["Host"]
            asked.append((host, self.path, dict(self.headers), body))
            refused = "bad-token" in body
            said = b"not you" if refused else json.dumps(TOLD[host]).encode()
            self.send_response(403 if refused else 200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    class Here(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            host = req.host
            req.add_unredirected_header("Host", host)
            req.host = f"127.0.0.1:{server.server_port}"
            return self.do_open(http.client.HTTPConnection, req)

    threading.Thread(target=server.serve_forever, daemon=True).start()
    before = urllib.request._opener  # type: ignore[attr-defined]
    urllib.request.install_opener(urllib.request.build_opener(Here))
    monkeypatch.setenv("OIDC_TOKEN", "of-the-pipeline")
    yield asked
    urllib.request.install_opener(before)
    server.shutdown()
    server.server_close()


PROVIDER = "projects/1/locations/global/workloadIdentityPools/ci-jobs/providers/ci-jobs"


@pytest.mark.parametrize(
    ("host", "identity", "opens", "sent"),
    [
        (
            "1.dkr.ecr.eu-central-1.amazonaws.com",
            "aws:arn:aws:iam::1:role/demo-push:eu-central-1",
            ("AWS", "opens-ecr"),
            {"RoleArn": "arn:aws:iam::1:role/demo-push", "WebIdentityToken": "of-the-pipeline"},
        ),
        (
            "europe-west3-docker.pkg.dev",
            f"gcp:{PROVIDER}:demo-push@p.iam.gserviceaccount.com:p",
            ("oauth2accesstoken", "opens-google"),
            {"audience": f"//iam.googleapis.com/{PROVIDER}", "subjectToken": "of-the-pipeline"},
        ),
        (
            "demo.azurecr.io",
            "azure:client:tenant:subscription",
            ("00000000-0000-0000-0000-000000000000", "opens-azure"),
            {"client_id": "client", "client_assertion": "of-the-pipeline"},
        ),
    ],
)
def test_a_pipeline_opens_a_cloud_s_registry(
    ship: Callable[[str], ModuleType],
    clouds: Asked,
    host: str,
    identity: str,
    opens: tuple[str, str],
    sent: dict[str, str],
) -> None:
    registry = ship("registry")

    assert registry.opened(host, identity) == opens

    (_, path, _, first), (second, further, headers, body) = clouds
    given = (
        json.loads(first)
        if first.startswith("{")
        else {k: v[0] for k, v in parse_qs(first).items()}
    )
    assert given.items() >= sent.items()
    if "amazonaws" in host:
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/")
        assert headers["X-Amz-Security-Token"] == "a session"
    elif "pkg.dev" in host:
        assert headers["Authorization"] == "Bearer of-the-job"
        assert further.endswith("/demo-push@p.iam.gserviceaccount.com:generateAccessToken")
    else:
        assert path == "/tenant/oauth2/v2.0/token"
        assert (second, further) == ("demo.azurecr.io", "/oauth2/exchange")
        assert parse_qs(body)["access_token"] == ["of-the-client"]


def test_amazon_s_signature_is_what_amazon_s_own_library_writes(
    ship: Callable[[str], ModuleType],
) -> None:
    moment = datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)
    host = "api.ecr.eu-central-1.amazonaws.com"

    found = ship("registry").signed(SESSION, "eu-central-1", host, moment)

    # botocore 1.43 about the same question.
    assert found["Authorization"].endswith(
        "Signature=5f7bdfec544cef5e5c28c245a528c4b4fbce4bd7421a8f8cd63da6934ae69691"
    )


def test_who_is_refused_is_told_and_his_token_is_not(
    ship: Callable[[str], ModuleType], clouds: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDC_TOKEN", "bad-token")

    with pytest.raises(SystemExit) as told:
        ship("registry").opened("demo.azurecr.io", "azure:client:tenant:subscription")

    assert "login.microsoftonline.com: 403 not you" in str(told.value)
    assert "bad-token" not in str(told.value)
    assert len(clouds) == 1


def test_a_cloud_s_registry_is_never_asked_with_another_s_identity(
    ship: Callable[[str], ModuleType],
) -> None:
    with pytest.raises(SystemExit, match="opened by one of gcp"):
        ship("registry").opened("europe-west3-docker.pkg.dev", "aws:arn:aws:iam::1:role/demo:r")


def test_any_other_registry_takes_a_password(
    ship: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_USR", "ada")
    monkeypatch.setenv("REGISTRY_PSW", "of-gitlab")

    assert ship("registry").opened("registry.gitlab.com", "") == ("ada", "of-gitlab")


def test_the_job_that_builds_says_which_pipeline_it_is() -> None:
    """Each system hands in a token where the registry is opened, and an identity of its own."""
    push = yaml.safe_load(GITLAB.read_text())["push"]
    assert "OIDC_TOKEN" in push["id_tokens"]
    assert push["environment"]["name"] == "images", "a variable of its own: IDENTITY"
    image = JENKINS.read_text().partition("stage('Image')")[2].partition("stage('Staging')")[0]
    assert "IMAGES_IDENTITY" in image
    assert "credentials('images-sign-in')" in image
    for text in ("\n".join(push["script"]), image):
        opened, pushed = text.index("scripts/ship/registry.py"), text.index("make image")
        assert opened < pushed
    assert Path(GITLAB).read_text().count("docker login") == 0
