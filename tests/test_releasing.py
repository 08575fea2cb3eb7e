"""A release, from a pipeline's step to where people are: with stand-ins for what is far away."""

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from pipelines import GITLAB, JENKINS, TEMPLATE, run

IMAGE = "registry.example.com/demo@sha256:" + "0" * 64


def ways(ship: Callable[[str], ModuleType], action: str, **hosting: str) -> list[list[str]]:
    usual = {
        "target": "kubernetes", "cloud_runtime": "containers", "release_strategy": "rolling",
        "region": "europe-west3",
    }  # fmt: skip
    answers = {"project": {"slug": "demo"}, "hosting": usual | hosting}
    found: list[list[str]] = ship("release").commands(answers, action, "staging", IMAGE)
    return found


def test_every_place_has_a_way_there_and_back(
    ship: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINE", "deploy@app.example.com")
    in_steps = {"target": "gcp", "release_strategy": "canary"}
    on_cloud = {"target": "aws", "cloud_runtime": "kubernetes"}
    for hosting, action, told in (
        ({"target": "compose"}, "deploy", ["ssh deploy@app.example.com cd app && git fetch"]),
        ({"target": "compose"}, "rollback", [f"python3 scripts/release.py --back {IMAGE}"]),
        ({"target": "aws"}, "deploy", [f"deploy/terraform/aws/release.sh staging {IMAGE}"]),
        (on_cloud, "deploy", ["--values deploy/chart/cloud-staging.yaml --set image.repository="]),
        (in_steps, "deploy", [f"scripts/ship/gradual deploy staging {IMAGE}"]),
        (in_steps, "promote", ["scripts/ship/gradual promote staging"]),
        (in_steps, "rollback", [f"scripts/ship/gradual rollback staging {IMAGE}"]),
        ({}, "deploy", ["deploy/chart --namespace demo-staging --create-namespace --values"]),
        ({}, "rollback", [f"helm_back.py demo demo-staging 45m {IMAGE}"]),
        ({"release_strategy": "canary"}, "deploy", ["helm upgrade", "rollouts status demo-app"]),
        ({"release_strategy": "canary"}, "rollback", ["helm_back.py", "rollouts status demo-app"]),
        ({"release_strategy": "blue_green"}, "promote",
         ["kubectl get rollout", "rollouts promote demo-app", "rollouts status demo-app"]),
    ):  # fmt: skip
        steps = [" ".join(one) for one in ways(ship, action, **hosting)]
        assert len(steps) == len(told), (hosting, action, steps)
        assert all(map(str.__contains__, steps, told)), (hosting, action, steps)


def stand_ins(folder: Path, **programs: str) -> dict[str, str]:
    """Programs that note what they are asked; the environment in which they are found first."""
    folder.mkdir()
    for name, does in programs.items():
        (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"$LOG"\n{does}\n')
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(folder.parent / "log")}


def test_nothing_is_promoted_before_it_stands_there(
    ship: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    """The new version is seen, comes up, and only then waits for a yes."""
    wait, *_ = ways(ship, "promote", release_strategy="blue_green")
    told = ("7 6 Healthy", "7 7 Progressing", "7 7 Paused")
    says = " ;; ".join(f'{at}) echo "{one}"' for at, one in enumerate(told, 1))
    more = stand_ins(
        tmp_path / "tools", kubectl=f'case $(grep -c kubectl "$LOG") in {says} ;; esac', sleep=":"
    )

    done = run(*GIT[:1], *wait, env=more)

    assert done.returncode == 0, done.stderr
    asked = [one for one in (tmp_path / "log").read_text().splitlines() if "kubectl" in one]
    assert len(asked) == len(told)
    assert asked[0].startswith("kubectl get rollout demo-app --namespace demo-staging")


# How each system runs the steps of a release, as far as a shell can tell.
def steps_of_jenkins(stage: str) -> list[Path | str]:
    text = JENKINS.read_text().partition(f"stage('{stage}')")[2]
    (step, *_) = re.findall(r"sh '''(.*?)'''", text, re.DOTALL)
    return ["/bin/sh", "-xec", step]


def steps_of_gitlab(job: str) -> list[Path | str]:
    pipeline = yaml.safe_load(GITLAB.read_text())
    lines = [*pipeline[".release"]["before_script"], *pipeline[job]["script"]]
    return ["/usr/bin/env", "bash", "-eo", "pipefail", "-c", "\n".join(lines)]


RELEASES = [
    *map(steps_of_jenkins, ("Staging", "Production", "Rollback")),
    *map(steps_of_gitlab, ("staging", "production")),
]


@pytest.mark.parametrize(
    "steps", RELEASES, ids=[f"{one[0]}{at}" for at, one in enumerate(RELEASES)]
)
def test_nothing_is_done_where_the_sign_in_failed(tmp_path: Path, steps: list[Path | str]) -> None:
    """A sign-in of an earlier build may be left on the machine; that one is not ours."""
    more = stand_ins(tmp_path / "tools", az="[ $1 != login ]", make=":")
    as_me = {"IDENTITY": "azure:a:b:c", "SIGN_IN": "token", "OIDC_TOKEN": "token"}

    done = run(*steps, cwd=TEMPLATE, env=more | as_me)

    assert done.returncode != 0
    assert (tmp_path / "log").read_text().splitlines()[-1].startswith("az login")


def test_a_cluster_of_azure_is_asked_as_who_signed_in(tmp_path: Path) -> None:
    """It has no accounts of its own, so what its address comes with opens nothing."""
    more = stand_ins(tmp_path / "tools", az=":", kubelogin=":")
    given = {"IDENTITY": "azure:client:tenant:paid:demo-stag:group", "OIDC_TOKEN": "token"}

    done = run("/bin/bash", "-c", ". scripts/ship/identity.sh", cwd=TEMPLATE, env=more | given)

    assert done.returncode == 0, done.stderr
    login, account, address, converted = (tmp_path / "log").read_text().splitlines()
    assert login.startswith("az login --service-principal --username client --tenant tenant")
    assert account == "az account set --subscription paid"
    found, _, file = address.partition(" --file ")
    assert found == "az aks get-credentials --name demo-stag --resource-group group"
    assert converted == f"kubelogin convert-kubeconfig --login azurecli --kubeconfig {file}"


def test_each_sign_in_at_amazon_begins_an_hour_of_its_own(tmp_path: Path) -> None:
    """The command line keeps what it got for a role and the name of a session."""
    given = {"IDENTITY": "aws:arn:aws:iam::1:role/demo:eu-central-1", "OIDC_TOKEN": "token"}
    told = (
        ". scripts/ship/identity.sh; cat $AWS_WEB_IDENTITY_TOKEN_FILE;"
        ' echo " $AWS_ROLE_ARN $AWS_REGION $AWS_ROLE_SESSION_NAME"'
    )

    twice = [
        run("/bin/bash", "-c", told, cwd=TEMPLATE, env=os.environ | {"GITLAB_CI": "true"} | given)
        for _ in range(2)
    ]

    told_once, told_again = (one.stdout.split() for one in twice)
    assert told_once[:3] == told_again[:3] == ["token", "arn:aws:iam::1:role/demo", "eu-central-1"]
    assert told_once[3] != told_again[3]
    assert re.fullmatch(r"[\w+=,.@-]{2,64}", told_once[3]), "Amazon takes no other"


@pytest.mark.parametrize(
    ("repository", "asked"),
    [
        (
            "1.dkr.ecr.eu-central-1.amazonaws.com/demo",
            "aws ecr get-login-password --region eu-central-1",
        ),
        ("europe-west3-docker.pkg.dev/p/demo/app", "gcloud auth print-access-token"),
        ("demo.azurecr.io/app", "az acr login --name demo --expose-token"),
        ("ghcr.io", ""),
    ],
)
def test_a_registry_of_a_cloud_is_opened_by_who_signed_in(
    tmp_path: Path, repository: str, asked: str
) -> None:
    cloud = "echo token"
    more = stand_ins(
        tmp_path / "tools", aws=cloud, gcloud=cloud, az=cloud, cosign='cat >>"$LOG"; echo >>"$LOG"'
    )
    given = {"REGISTRY_HOST": repository, "REGISTRY_USR": "ada", "REGISTRY_PSW": "of-github"}
    given |= {"GITLAB_CI": "true", "IDENTITY": ""}

    done = run("/bin/bash", "-c", ". scripts/ship/identity.sh", cwd=TEMPLATE, env=more | given)

    assert done.returncode == 0, done.stderr
    *before, login, password = (tmp_path / "log").read_text().splitlines()
    assert login.startswith(f"cosign login {repository.split('/')[0]} --username ")
    assert password == ("token" if asked else "of-github")
    assert [one.startswith(asked) for one in before] == ([True] if asked else [])


@pytest.mark.parametrize("steps", [steps_of_jenkins("Staging"), steps_of_gitlab("staging")])
def test_the_key_of_a_machine_is_for_this_release_only(
    tmp_path: Path, steps: list[Path | str]
) -> None:
    shows = (
        'set -- $MACHINE_SSH; stat -c %a "$2" >>"$LOG"; cat "$2" >>"$LOG"; echo "$2" >"$LOG.key"'
    )
    more = stand_ins(tmp_path / "tools", make=shows)
    given = {"MACHINE": "a@b", "MACHINE_KNOWN": "b ssh-ed25519 A", "TMPDIR": str(tmp_path)}
    jenkins = steps[0] == "/bin/sh"
    given |= {"SIGN_IN": "KEY"} if jenkins else {"MACHINE_KEY": "KEY", "GITLAB_CI": "true"}

    done = run(*steps, cwd=TEMPLATE, env=more | given)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").read_text().splitlines()[1:3] == ["600", "KEY"]
    # An agent of Jenkins is there also for the next one.
    assert Path((tmp_path / "log.key").read_text().strip()).exists() != jenkins


def test_a_release_that_does_not_answer_is_taken_back(tmp_path: Path) -> None:
    """Also where nobody said to which version, for Kubernetes knows it."""
    more = stand_ins(tmp_path / "tools", make="[ $1 != smoke ]")

    done = run(*steps_of_gitlab("production"), cwd=TEMPLATE, env=more | {"GITLAB_CI": "true"})

    assert done.returncode != 0
    assert "make rollback TO=production\n" in (tmp_path / "log").read_text()


def test_nothing_is_started_that_our_pipeline_did_not_sign(tmp_path: Path) -> None:
    """The certificate must name the pipeline of a tag of this project, whatever system runs it."""
    github = {"GITHUB_REPOSITORY": "us/demo"}
    gitlab = {"CI_PROJECT_URL": "https://git.example.com/us/demo", "CI_SERVER_URL": "https://git.x"}
    own = {"SIGNED_BY": "^https://ci[.]example[.]com/demo$", "SIGNED_ISSUER": "https://ci.x"}
    more = stand_ins(tmp_path / "tools", cosign="exit $SIGNED", ssh=":", helm=":")
    deploy = [sys.executable, "scripts/ship/release.py", "deploy", "staging", IMAGE]
    empty = dict.fromkeys(("SIGNED_BY", "SIGNED_ISSUER", *github, *gitlab), "")
    given = more | empty | {"MACHINE": "deploy@app.example.com"}

    assert run("/usr/bin/env", *deploy, cwd=TEMPLATE, env=given | {"SIGNED": "0"}).returncode != 0
    assert not (tmp_path / "log").exists(), "whose signature counts is not known"
    for known, by, not_by in (
        (github, "https://github.com/us/demo/.github/workflows/release.yml@refs/tags/v1",
         "https://github.com/us/demo/.github/workflows/ci.yml@refs/pull/7/merge"),
        (gitlab, "https://git.example.com/us/demo//.gitlab-ci.yml@refs/tags/v1",
         "https://git.example.com/us/demo-of-another//.gitlab-ci.yml@refs/tags/v1"),
        (own, "https://ci.example.com/demo", "https://ci.example.com/demo/other"),
    ):  # fmt: skip
        (tmp_path / "log").unlink(missing_ok=True)
        unsigned = run("/usr/bin/env", *deploy, cwd=TEMPLATE, env=given | known | {"SIGNED": "1"})
        assert unsigned.returncode == 1
        (asked,) = (tmp_path / "log").read_text().splitlines()
        assert asked.startswith("cosign verify ")
        assert asked.endswith(IMAGE)
        (pattern,) = re.findall(r"--certificate-identity-regexp (\S+) ", asked)
        assert re.search(pattern, by)
        assert not re.search(pattern, not_by)
        done = run("/usr/bin/env", *deploy, cwd=TEMPLATE, env=given | known | {"SIGNED": "0"})
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "log").read_text().splitlines()[-1].startswith(("ssh", "helm"))


def test_an_image_to_go_back_to_is_looked_at_as_well(tmp_path: Path) -> None:
    """But for a person at night, when what answers such questions is down, too."""
    more = stand_ins(tmp_path / "tools", cosign="exit 1", ssh=":")
    more |= {"MACHINE": "deploy@app.example.com", "SIGNED_BY": "^x$", "SIGNED_ISSUER": "https://x"}
    back = ("scripts/ship/release.py", "rollback", "production")

    named = run(sys.executable, *back, IMAGE, cwd=TEMPLATE, env=more)
    assert named.returncode == 1
    (asked,) = (tmp_path / "log").read_text().splitlines()
    assert asked.startswith("cosign verify ")
    waived = run(sys.executable, *back, IMAGE, cwd=TEMPLATE, env=more | {"UNVERIFIED": "yes"})
    assert waived.returncode == 0, waived.stderr
    assert run(sys.executable, *back, cwd=TEMPLATE, env=more).returncode == 0, "the one before"
    deploy = ("scripts/ship/release.py", "deploy", "production", IMAGE)
    forward = run(sys.executable, *deploy, cwd=TEMPLATE, env=more | {"UNVERIFIED": "yes"})
    assert forward.returncode == 1
    assert "git checkout" not in (tmp_path / "log").read_text(), "going back leaves the files"


def test_who_signs_says_that_the_list_of_contents_is_there(tmp_path: Path) -> None:
    docker = 'case "$*" in *.SBOM*) echo "$SBOM" ;; *) echo \'{"SLSA": {}}\' ;; esac'
    more = stand_ins(tmp_path / "tools", docker=docker, cosign=":")
    sign = (sys.executable, "scripts/ship/release.py", "sign", IMAGE)

    bare = run(*sign, cwd=TEMPLATE, env=more | {"SBOM": "null"})
    assert bare.returncode == 1
    assert f"{IMAGE} has no SBOM beside it" in bare.stderr
    assert "cosign" not in (tmp_path / "log").read_text()
    done = run(*sign, cwd=TEMPLATE, env=more | {"SBOM": '{"SPDX": {"packages": []}}'})
    assert done.returncode == 0, done.stderr
    assert "--format {{json .SBOM}}\n" in (tmp_path / "log").read_text()
    assert f"cosign sign --yes {IMAGE}" in (tmp_path / "log").read_text()


def test_what_somebody_types_is_no_command(tmp_path: Path) -> None:
    typed = f"IMAGE=x; touch {tmp_path}/done"

    run("/usr/bin/env", "make", "sign", typed, cwd=TEMPLATE, env=os.environ | {"DRY": "1"})

    assert not (tmp_path / "done").exists()


GIT = ("/usr/bin/env", "git")
DOCKER = """#!/bin/sh
echo "$IMAGE|$*" >> "$LOG"
case "$*" in
  "image inspect"*) exit 1 ;;
  "compose config --services") printf 'app\\nworker\\n' ;;
  "compose ps --all --quiet app") [ -e "$LOG.up" ] && printf 'old\\nnew\\n' || echo old ;;
  "compose up"*"app") touch "$LOG.up" ;;
  "compose up"*"worker") rm "$LOG.up" ;;
esac
"""
SSH = """#!/bin/sh
cd "$THERE" && exec sh -c "$2"
"""


def test_a_pipeline_releases_by_digest_on_a_machine_and_takes_it_back(tmp_path: Path) -> None:
    """Real git and the real scripts; only `ssh` and `docker` stand in."""
    here, there, tools = tmp_path / "here", tmp_path / "there", tmp_path / "tools"
    shutil.copytree(TEMPLATE / "scripts", here / "scripts")
    (here / "app").mkdir()
    answers = '[project]\nslug = "demo"\n[hosting]\ntarget = "compose"\n'
    (here / "app" / "answers.toml").write_text(answers + 'release_strategy = "rolling"\n')
    (here / ".gitignore").write_text(".env*\n")
    as_me = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q"], ["add", "-A"], [*as_me, "commit", "-qm", "One"]):
        assert run(*GIT, *words, cwd=here).returncode == 0
    assert run(*GIT, "clone", "-q", str(here), str(there / "app"), cwd=tmp_path).returncode == 0
    (there / "app" / ".env").write_text("SECRET_KEY=kept\nAPP_REPLICAS=1\n")
    assert run(*GIT, *as_me, "commit", "-qm", "Two", "--allow-empty", cwd=here).returncode == 0
    tools.mkdir()
    for name, text in (("docker", DOCKER), ("ssh", SSH), ("cosign", "#!/bin/sh\n")):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    log = tmp_path / "log"
    more = {"PATH": f"{tools}:{os.environ['PATH']}", "LOG": str(log), "THERE": str(there)}
    more |= {"SIGNED_BY": "^https://ci[.]example[.]com/", "SIGNED_ISSUER": "https://ci.example.com"}
    release = [sys.executable, "scripts/ship/release.py"]

    nowhere = run(*release, "deploy", "production", IMAGE, cwd=here, env=more)
    done = run(*release, "deploy", "production", IMAGE, cwd=here, env=more | {"MACHINE": "a@b"})

    assert nowhere.returncode == 1
    assert "MACHINE" in nowhere.stderr
    assert done.returncode == 0, done.stderr
    now = (there / "app" / ".env").read_text().splitlines()
    assert {*now} >= {"SECRET_KEY=kept", f"IMAGE={IMAGE}", "PREVIOUS_IMAGE=app:local"}
    assert f"|pull --quiet {IMAGE}" in log.read_text()
    assert f"{IMAGE}|compose run --rm --no-deps migrate" in log.read_text()
    heads = [run(*GIT, "rev-parse", "HEAD", cwd=one).stdout for one in (here, there / "app")]
    assert heads[0] == heads[1]

    back = run(*release, "rollback", "production", cwd=here, env=more | {"MACHINE": "a@b"})

    assert back.returncode == 0, back.stderr
    assert "IMAGE=app:local" in (there / "app" / ".env").read_text().splitlines()
    assert log.read_text().count("migrate") == 1, "going back changes no table"


@pytest.mark.parametrize("named", ["registry.example.com/demo:v1", "registry.example.com/demo", ""])
def test_only_what_has_a_digest_is_deployed_or_signed(named: str) -> None:
    for words in (["sign", named], ["deploy", "staging", named]):
        done = run(
            sys.executable, "scripts/ship/release.py", *words, cwd=TEMPLATE, env={"DRY": "1"}
        )
        assert done.returncode != 0
        assert "by digest" in done.stderr


def test_the_chart_takes_what_a_release_hands_it(ship: Callable[[str], ModuleType]) -> None:
    """The very words, but for what needs a cluster."""
    words = ways(ship, "deploy", release_strategy="canary")[0]
    kept = [one for one in words[3:] if one not in ("--atomic", "--create-namespace")]

    rendered = run("helm", "template", *kept[: kept.index("--timeout")], cwd=TEMPLATE)

    assert rendered.returncode == 0, rendered.stderr
    assert IMAGE in rendered.stdout
