"""What the infrastructure must never say, read by tfparse: no Terraform and no cloud is asked.

Each rule yields a sentence for each place that breaks it.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tfparse  # type: ignore[import-untyped]

Parsed = dict[str, list[dict[str, Any]]]
ANYWHERE = {"0.0.0.0/0", "::/0", "*", "Internet"}
# Amazon knows no finer resource for these, or they say "*" in a key's own policy and mean the key.
ONLY_WITH_A_STAR = {
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
}


def parsed(folder: Path, *variables: str) -> Parsed:
    found: Parsed = tfparse.load_from_path(folder, vars_paths=list(variables))
    return found


def problems(cloud: str, found: Parsed, *, production: bool = True) -> list[str]:
    rules = {"aws": aws}[cloud]
    return sorted({one for one in rules(found, production) if one})


def said(one: dict[str, Any], *path: str) -> Any:
    """A value inside nested blocks; a block that stands once is a dict, several are a list."""
    value: Any = one
    for name in path:
        if isinstance(value, list):
            value = value[0] if value else None
        value = value.get(name) if isinstance(value, dict) else None
    return value


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def where(one: dict[str, Any]) -> str:
    return str(one["__tfmeta"]["path"])


def must(one: dict[str, Any], **wanted: Any) -> Iterator[str]:
    for name, value in wanted.items():
        given = said(one, *name.split("__"))
        if given != value:
            yield f"{where(one)}: {name.replace('__', '.')} must be {value!r} and is {given!r}"


def aws(found: Parsed, production: bool) -> Iterator[str]:
    yield from aws_network(found)
    yield from aws_database(found, production)
    yield from aws_buckets(found)
    yield from aws_policies(found)
    yield from aws_edge(found, production)


def aws_network(found: Parsed) -> Iterator[str]:
    for one in found.get("aws_vpc_security_group_ingress_rule", []):
        if {one.get("cidr_ipv4"), one.get("cidr_ipv6")} & ANYWHERE and (
            not where(one).startswith("module.edge.") or one.get("to_port") not in {80, 443}
        ):
            yield f"{where(one)}: open to the internet"
    for one in found.get("aws_security_group", []):
        if one.get("ingress") or one.get("egress"):
            yield f"{where(one)}: rules inside a group; write them as resources of their own"
    for one in found.get("aws_subnet", []):
        if one.get("map_public_ip_on_launch"):
            yield f"{where(one)}: gives public addresses"
    for one in found.get("aws_route_table", []):
        if ".data" in where(one) and one.get("route"):
            yield f"{where(one)}: the layer that keeps data has a way out"
    for one in found.get("aws_ecs_service", []):
        if said(one, "network_configuration", "assign_public_ip"):
            yield f"{where(one)}: has a public address"


def aws_database(found: Parsed, production: bool) -> Iterator[str]:
    if not found.get("aws_db_instance"):
        yield "there is no database"
    for one in found.get("aws_db_instance", []):
        yield from must(
            one,
            publicly_accessible=False,
            storage_encrypted=True,
            manage_master_user_password=True,
        )
        if not one.get("backup_retention_period", 0) >= (30 if production else 1):
            yield f"{where(one)}: backup_retention_period is too short"
        if production:
            yield from must(one, deletion_protection=True, multi_az=True, skip_final_snapshot=False)
    for one in found.get("aws_db_parameter_group", []):
        given = {said(p, "name"): said(p, "value") for p in many(one.get("parameter"))}
        if given.get("rds.force_ssl") != "1":
            yield f"{where(one)}: rds.force_ssl must be 1"


def aws_buckets(found: Parsed) -> Iterator[str]:
    def guarded(kind: str) -> set[str]:
        return {str(one.get("bucket")) for one in found.get(kind, [])}

    for one in found.get("aws_s3_bucket", []):
        for kind in ("public_access_block", "server_side_encryption_configuration", "versioning"):
            if one["id"] not in guarded(f"aws_s3_bucket_{kind}"):
                yield f"{where(one)}: lacks aws_s3_bucket_{kind}"
    for one in found.get("aws_s3_bucket_public_access_block", []):
        yield from must(
            one,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
    for one in found.get("aws_secretsmanager_secret", []):
        if not one.get("kms_key_id"):
            yield f"{where(one)}: is not encrypted with our key"
    for one in found.get("aws_kms_key", []):
        yield from must(one, enable_key_rotation=True)


def aws_policies(found: Parsed) -> Iterator[str]:
    for document in found.get("aws_iam_policy_document", []):
        for one in many(document.get("statement")):
            if one.get("effect", "Allow") != "Allow":
                continue
            actions, resources = many(one.get("actions")), many(one.get("resources"))
            broad = [action for action in actions if re.search(r"^\*$|:\*$", str(action))]
            if broad:
                yield f"{where(document)}: allows {', '.join(broad)}"
            own_key = "module.monitoring.data.aws_iam_policy_document.key" in where(document)
            if "*" in resources and not own_key and not set(actions) <= ONLY_WITH_A_STAR:
                yield f"{where(document)}: allows {', '.join(actions)} on everything"
            for principal in many(one.get("principals")):
                if "*" in many(principal.get("identifiers")):
                    yield f"{where(document)}: allows everybody"
                if principal.get("type") == "Federated":
                    tested = {str(said(c, "variable")) for c in many(one.get("condition"))}
                    if not any(name.endswith(":sub") for name in tested):
                        yield f"{where(document)}: trusts every job of the issuer"
                    if not any(name.endswith(":aud") for name in tested):
                        yield f"{where(document)}: trusts tokens for others"


def aws_edge(found: Parsed, production: bool) -> Iterator[str]:
    for one in found.get("aws_lb", []):
        yield from must(one, drop_invalid_header_fields=True)
        if production:
            yield from must(one, enable_deletion_protection=True)
        if one["id"] not in {
            str(a.get("resource_arn")) for a in found.get("aws_wafv2_web_acl_association", [])
        }:
            yield f"{where(one)}: has no firewall"
    for one in found.get("aws_lb_listener", []):
        if one.get("protocol") == "HTTPS":
            if "TLS13" not in str(one.get("ssl_policy")):
                yield f"{where(one)}: ssl_policy allows old versions of TLS"
        elif said(one, "default_action", "type") != "redirect":
            yield f"{where(one)}: answers without TLS"
    if not found.get("aws_budgets_budget"):
        yield "there is no alarm for the budget"


def settings_named(text: str) -> set[str]:
    """Environment variables that a Terraform file gives to the app."""
    return set(re.findall(r"^\s*([A-Z][A-Z0-9_]{3,})\s+=", text, re.MULTILINE))


def planned(plan: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Resources of a plan as `terraform show -json` tells it."""

    def walk(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from (one for one in module.get("resources", []) if one["type"] == kind)
        for inner in module.get("child_modules", []):
            yield from walk(inner)

    return list(walk(plan["planned_values"]["root_module"]))


def plant(folder: Path, cloud: str, kind: str) -> list[str]:
    """Put the mistakes of mistakes.toml into a copy; what must be said about each."""
    mistakes = tomllib.loads((Path(__file__).parent / "mistakes.toml").read_text(encoding="utf-8"))
    for one in mistakes[cloud][kind]:
        path = folder / one["file"]
        text = path.read_text(encoding="utf-8")
        assert one["old"] in text, f"{one['file']} no longer has {one['old']!r}"
        path.write_text(text.replace(one["old"], one["new"], 1))
    return [one["says"] for one in mistakes[cloud][kind]]
