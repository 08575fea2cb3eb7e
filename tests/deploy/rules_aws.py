"""What Terraform for Amazon must never say."""

import re
from collections.abc import Iterator

from reading import ANYWHERE, Parsed, many, must, said, where

# Amazon knows no finer resource for these.
ONLY_WITH_A_STAR = {
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeScalingActivities",
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ec2:GetInstanceTypesFromInstanceRequirements",
    "elasticloadbalancing:DescribeRules",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
}


def aws(found: Parsed, production: bool) -> Iterator[str]:
    yield from aws_network(found)
    yield from aws_database(found, production)
    yield from aws_buckets(found)
    yield from aws_policies(found)
    yield from aws_edge(found, production)
    yield from aws_cluster(found, production)


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


def aws_cluster(found: Parsed, production: bool) -> Iterator[str]:
    for one in found.get("aws_eks_cluster", []):
        yield from must(
            one,
            vpc_config__endpoint_private_access=True,
            access_config__authentication_mode="API",
            access_config__bootstrap_cluster_creator_admin_permissions=False,
            encryption_config__resources=["secrets"],
            **({"deletion_protection": True} if production else {}),
        )
        if said(one, "vpc_config", "endpoint_public_access"):
            named = set(many(said(one, "vpc_config", "public_access_cidrs")))
            if not named or named & ANYWHERE:
                yield f"{where(one)}: everybody may speak to its API"
        if not {"api", "audit", "authenticator"} <= set(many(one.get("enabled_cluster_log_types"))):
            yield f"{where(one)}: who asked it is not written down"
    for one in found.get("aws_launch_template", []):
        yield from must(
            one,
            metadata_options__http_tokens="required",
            metadata_options__http_put_response_hop_limit=1,
        )
    if found.get("aws_eks_cluster"):
        plugins = [one for one in found.get("aws_eks_addon", []) if one["addon_name"] == "vpc-cni"]
        if not any("enableNetworkPolicy" in str(one["configuration_values"]) for one in plugins):
            yield "nothing enforces the policies of the network"
    for one in found.get("aws_eks_access_entry", []):
        if "release" in where(one) and one.get("kubernetes_groups") != ["release"]:
            yield f"{where(one)}: CI may do more than release"
