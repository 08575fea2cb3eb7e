"""What the clouds take for a name: their documentation says so, their schemas do not.

`ODD` are answers that are allowed and come near each limit.
"""

import re
from collections.abc import Iterator
from typing import Any

from reading import Parsed, where

ODD = {
    # Cut at its end, and begins as no load balancer of Amazon's may.
    "staging": "internal-tools-google-has-none-like-them",
    # Begins as no security group may; cut at a dash.
    "production": "sg-for-all-of-usall-who-ask-ourselves-it",
}

COMPUTE = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
TOLD = r"[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]{0,255}"
CONTAINER_APP = r"(?!.*--)[a-z][a-z0-9-]{0,30}[a-z0-9]"
# The attribute, and what it may be from its beginning to its end.
TAKEN = {
    "aws_db_instance": ("identifier", r"(?!.*--)[a-z][a-z0-9-]{0,61}[a-z0-9]"),
    "aws_ecr_repository": ("name", r"[a-z][a-z0-9-]{1,255}"),
    "aws_iam_role": ("name", r"[\w+=,.@-]{1,64}"),
    "aws_lb": ("name", r"(?!internal-)[a-zA-Z0-9][a-zA-Z0-9-]{0,30}[a-zA-Z0-9]"),
    "aws_lb_target_group": ("name", r"[a-zA-Z0-9][a-zA-Z0-9-]{0,30}[a-zA-Z0-9]"),
    "aws_s3_bucket": ("bucket_prefix", r"(?!xn--|sthree-)[a-z0-9][a-z0-9-]{0,36}"),
    "aws_security_group": ("name", r"(?!sg-)" + TOLD),
    "azurerm_container_app": ("name", CONTAINER_APP),
    "azurerm_container_app_job": ("name", CONTAINER_APP),
    "azurerm_container_registry": ("name", r"[a-zA-Z0-9]{5,50}"),
    "azurerm_cdn_frontdoor_firewall_policy": ("name", r"[a-zA-Z][a-zA-Z0-9]{0,127}"),
    "azurerm_kubernetes_cluster": ("dns_prefix", r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,52}[a-zA-Z0-9])?"),
    "azurerm_log_analytics_workspace": ("name", r"[a-zA-Z0-9][a-zA-Z0-9-]{2,61}[a-zA-Z0-9]"),
    "azurerm_monitor_action_group": ("short_name", r".{1,12}"),
    "azurerm_user_assigned_identity": ("name", r"[a-zA-Z0-9][\w-]{2,127}"),
    "google_billing_budget": ("display_name", r".{1,60}"),
    "google_cloud_run_v2_job": ("name", r"[a-z][a-z0-9-]{0,47}[a-z0-9]"),
    "google_cloud_run_v2_service": ("name", r"[a-z][a-z0-9-]{0,47}[a-z0-9]"),
    "google_compute_global_forwarding_rule": ("name", COMPUTE),
    "google_compute_managed_ssl_certificate": ("name", COMPUTE),
    "google_compute_network": ("name", COMPUTE),
    "google_container_cluster": ("name", r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"),
    "google_iam_workload_identity_pool": ("workload_identity_pool_id", r"(?!gcp-)[a-z0-9-]{4,32}"),
    "google_iam_workload_identity_pool_provider": (
        "workload_identity_pool_provider_id",
        r"(?!gcp-)[a-z0-9-]{4,32}",
    ),
    "google_service_account": ("account_id", r"[a-z][a-z0-9-]{4,28}[a-z0-9]"),
    "google_storage_bucket": ("name", r"(?!goog)(?!.*google)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
}
# Amazon takes no apostrophe in these.
DESCRIBED = {
    "aws_security_group",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
}


def refused(kind: str, place: str, values: dict[str, Any]) -> Iterator[str]:
    limits = [TAKEN[kind]] if kind in TAKEN else []
    limits += [("description", TOLD)] if kind in DESCRIBED else []
    for attribute, taken in limits:
        given = values.get(attribute)
        # What is known only once the cloud has answered, or to another file, cannot be looked at.
        if isinstance(given, str) and "${" not in given and not re.fullmatch(taken, given):
            yield f"{place}: no cloud takes {given!r} as {attribute}"


def of_files(found: Parsed) -> Iterator[str]:
    for kind, ones in found.items():
        for one in ones:
            if not where(one).startswith("data.") and ".data." not in where(one):
                yield from refused(kind, where(one), one)


def of_plan(plan: dict[str, Any]) -> Iterator[str]:
    def walk(module: dict[str, Any]) -> Iterator[str]:
        for one in module.get("resources", []):
            if one["mode"] == "managed":
                yield from refused(one["type"], one["address"], one.get("values", {}))
        for inner in module.get("child_modules", []):
            yield from walk(inner)

    return walk(plan["planned_values"]["root_module"])
