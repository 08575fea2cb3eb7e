#!/usr/bin/env python3
"""Open the registry where images go, as this pipeline, with no command line but Docker's.

    registry.py            REGISTRY_HOST says which; a cloud's own one wants IDENTITY

IDENTITY is what identity.sh takes, and the token comes as there: OIDC_TOKEN, SIGN_IN, or GitHub is
asked. Any other registry is opened with REGISTRY_USR and REGISTRY_PSW.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from typing import Any

FORM = "application/x-www-form-urlencoded"
OAUTH = "urn:ietf:params:oauth"
GOOGLE = "https://www.googleapis.com/auth/cloud-platform"


def main() -> None:
    host = os.environ.get("REGISTRY_HOST", "").partition("/")[0]
    if not host:
        sys.exit("REGISTRY_HOST: say where images go.")
    user, password = opened(host, os.environ.get("IDENTITY", ""))
    words = ["docker", "login", host, "--username", user, "--password-stdin"]
    sys.exit(subprocess.run(words, input=password, text=True, check=False).returncode)


def opened(host: str, identity: str) -> tuple[str, str]:
    kind, _, rest = identity.partition(":")
    if found := re.fullmatch(r"\d+\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com", host):
        wanted = "aws"
    elif host.endswith("-docker.pkg.dev"):
        wanted = "gcp"
    elif host.endswith(".azurecr.io"):
        wanted = "azure"
    else:
        return os.environ.get("REGISTRY_USR", ""), os.environ.get("REGISTRY_PSW", "")
    if kind != wanted:
        sys.exit(f"IDENTITY: {host} is opened by one of {wanted}, as in scripts/ship/identity.sh.")
    parts = rest.split(":")
    if found:
        # An ARN has colons of its own: arn:aws:iam::N:role/NAME:REGION
        return amazon(":".join(parts[:6]), found[1])
    return google(*parts[:2]) if kind == "gcp" else azure(parts[0], parts[1], host)


def token(audience: str) -> str:
    if given := os.environ.get("OIDC_TOKEN") or os.environ.get("SIGN_IN"):
        return given
    bearer = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not bearer:
        sys.exit("OIDC_TOKEN: nothing says which pipeline this is.")
    url = f"{os.environ['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience={urllib.parse.quote(audience)}"
    return str(ask(url, None, Authorization=f"bearer {bearer}")["value"])


def amazon(role: str, region: str) -> tuple[str, str]:
    asked = {
        "Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": role,
        "RoleSessionName": "image", "WebIdentityToken": token("sts.amazonaws.com"),
    }  # fmt: skip
    sts = f"https://sts.{region}.amazonaws.com/"
    said = ask(sts, urllib.parse.urlencode(asked).encode(), Content_Type=FORM)
    made = said["AssumeRoleWithWebIdentityResponse"]["AssumeRoleWithWebIdentityResult"]
    host = f"api.ecr.{region}.amazonaws.com"
    headers = signed(made["Credentials"], region, host, datetime.now(UTC))
    [one] = ask(f"https://{host}/", b"{}", **headers)["authorizationData"]
    user, _, password = base64.b64decode(one["authorizationToken"]).decode().partition(":")
    return user, password


def signed(
    who: dict[str, str], region: str, host: str, moment: datetime, body: bytes = b"{}"
) -> dict[str, str]:
    """What Amazon wants beside a question: its signature, version 4."""
    now = moment.strftime("%Y%m%dT%H%M%SZ")
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "Host": host,
        "X-Amz-Date": now,
        "X-Amz-Security-Token": who["SessionToken"],
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken",
    }
    names = ";".join(name.lower() for name in headers)
    lines = "".join(f"{name.lower()}:{value}\n" for name, value in headers.items())
    asked = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{now[:8]}/{region}/ecr/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(asked.encode()).hexdigest()}"
    key = f"AWS4{who['SecretAccessKey']}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    by = f"AWS4-HMAC-SHA256 Credential={who['AccessKeyId']}/{scope}"
    return headers | {"Authorization": f"{by}, SignedHeaders={names}, Signature={key.hex()}"}


def google(provider: str, account: str) -> tuple[str, str]:
    asked = {
        "audience": f"//iam.googleapis.com/{provider}",
        "grantType": f"{OAUTH}:grant-type:token-exchange",
        "requestedTokenType": f"{OAUTH}:token-type:access_token",
        "scope": GOOGLE,
        "subjectToken": token(f"https://iam.googleapis.com/{provider}"),
        "subjectTokenType": f"{OAUTH}:token-type:jwt",
    }
    json_ = {"Content_Type": "application/json"}
    job = ask("https://sts.googleapis.com/v1/token", json.dumps(asked).encode(), **json_)
    made = ask(
        f"https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}"
        ":generateAccessToken",
        json.dumps({"scope": [GOOGLE]}).encode(),
        Authorization=f"Bearer {job['access_token']}",
        **json_,
    )
    return "oauth2accesstoken", str(made["accessToken"])


def azure(client: str, tenant: str, host: str) -> tuple[str, str]:
    asked = {
        "client_id": client, "grant_type": "client_credentials",
        "client_assertion_type": f"{OAUTH}:client-assertion-type:jwt-bearer",
        "client_assertion": token("api://AzureADTokenExchange"),
        "scope": "https://containerregistry.azure.net/.default",
    }  # fmt: skip
    who = ask(
        f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        urllib.parse.urlencode(asked).encode(),
        Content_Type=FORM,
    )["access_token"]
    traded = {"grant_type": "access_token", "service": host, "tenant": tenant, "access_token": who}
    made = ask(
        f"https://{host}/oauth2/exchange",
        urllib.parse.urlencode(traded).encode(),
        Content_Type=FORM,
    )
    return "00000000-0000-0000-0000-000000000000", str(made["refresh_token"])


def ask(url: str, body: bytes | None, **headers: str) -> Any:
    """JSON; what is refused is told without what was sent."""
    named = {"Accept": "application/json"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, named), timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        place = urllib.parse.urlsplit(url).netloc
        sys.exit(f"{place}: {error.code} {error.read(2000).decode(errors='replace')}")
    except OSError as error:
        sys.exit(f"{urllib.parse.urlsplit(url).netloc}: {error}")


if __name__ == "__main__":
    main()
