"""What Terraform for Azure must never say."""

from collections.abc import Iterator

from reading import ANYWHERE, Parsed, many, must, said, where

BROAD = {
    "Owner",
    "Contributor",
    "User Access Administrator",
    "Azure Kubernetes Service Cluster Admin Role",
    "Azure Kubernetes Service RBAC Cluster Admin",
    "Key Vault Administrator",
    # Everything that may be read at all, and every log.
    "Log Analytics Reader",
}


def azure(found: Parsed, production: bool) -> Iterator[str]:
    yield from network(found)
    yield from database(found, production)
    yield from stores(found, production)
    yield from rights(found)
    yield from edge(found)
    yield from cluster(found, production)


def network(found: Parsed) -> Iterator[str]:
    for one in found.get("azurerm_network_security_group", []):
        for rule in many(one.get("security_rule")):
            inward = rule.get("direction") == "Inbound" and rule.get("access") == "Allow"
            if inward and str(rule.get("source_address_prefix")) in ANYWHERE:
                yield f"{where(one)}: open to the internet"
    for one in found.get("azurerm_subnet", []):
        yield from must(one, default_outbound_access_enabled=False)
    for one in found.get("azurerm_container_app_environment", []):
        yield from must(one, internal_load_balancer_enabled=True, public_network_access="Disabled")
    for one in found.get("azurerm_cognitive_account", []):
        yield from must(one, public_network_access_enabled=False)


def database(found: Parsed, production: bool) -> Iterator[str]:
    if not found.get("azurerm_postgresql_flexible_server"):
        yield "there is no database"
    for one in found.get("azurerm_postgresql_flexible_server", []):
        yield from must(one, public_network_access_enabled=False)
        if not one.get("delegated_subnet_id"):
            yield f"{where(one)}: is in no network of ours"
        if production:
            yield from must(one, backup_retention_days=35)
            if not found.get("azurerm_management_lock"):
                yield f"{where(one)}: nothing keeps it from being deleted"
    if found.get("azurerm_postgresql_flexible_server_firewall_rule"):
        yield "the database lets addresses in"


def stores(found: Parsed, production: bool) -> Iterator[str]:
    for one in found.get("azurerm_storage_account", []):
        yield from must(one, min_tls_version="TLS1_2", allow_nested_items_to_be_public=False)
        # The state is kept before there is a network; it takes no keys, only people and roles.
        if one.get("shared_access_key_enabled") is not False:
            yield from must(one, public_network_access_enabled=False)
    for one in found.get("azurerm_key_vault", []):
        yield from must(one, rbac_authorization_enabled=True, network_acls__default_action="Deny")
        if production:
            yield from must(one, purge_protection_enabled=True)
    for one in found.get("azurerm_container_registry", []):
        if not where(one).startswith("data."):
            yield from must(one, admin_enabled=False)


def rights(found: Parsed) -> Iterator[str]:
    for one in found.get("azurerm_role_assignment", []):
        if str(one.get("role_definition_name")) in BROAD:
            yield f"{where(one)}: gives {one['role_definition_name']}"
    for one in found.get("azurerm_role_definition", []):
        for allowed in many(one.get("permissions")):
            if any("*" in str(action) for action in many(allowed.get("actions"))):
                yield f"{where(one)}: allows more than it says"
    for one in found.get("azurerm_federated_identity_credential", []):
        if not one.get("subject") or "*" in str(one["subject"]):
            yield f"{where(one)}: trusts every job of the issuer"


def edge(found: Parsed) -> Iterator[str]:
    for one in found.get("azurerm_cdn_frontdoor_firewall_policy", []):
        yield from must(one, mode="Prevention")
    if found.get("azurerm_cdn_frontdoor_profile") and not found.get(
        "azurerm_cdn_frontdoor_security_policy"
    ):
        yield "there is no firewall"
    for one in found.get("azurerm_cdn_frontdoor_route", []):
        yield from must(one, https_redirect_enabled=True, forwarding_protocol="HttpsOnly")
    for one in found.get("azurerm_cdn_frontdoor_custom_domain", []):
        yield from must(one, tls__minimum_tls_version="TLS12")
    if not found.get("azurerm_consumption_budget_subscription"):
        yield "there is no alarm for the budget"


def cluster(found: Parsed, production: bool) -> Iterator[str]:
    for one in found.get("azurerm_kubernetes_cluster", []):
        yield from must(
            one,
            local_account_disabled=True,
            role_based_access_control_enabled=True,
            run_command_enabled=False,
            oidc_issuer_enabled=True,
            workload_identity_enabled=True,
            network_profile__network_policy="cilium",
            network_profile__network_data_plane="cilium",
            network_profile__outbound_type="userAssignedNATGateway",
            default_node_pool__node_public_ip_enabled=False,
        )
        if "azure_active_directory_role_based_access_control" not in one:
            yield f"{where(one)}: people sign in elsewhere than in Entra"
        if one.get("private_cluster_enabled") is not True:
            named = set(many(said(one, "api_server_access_profile", "authorized_ip_ranges")))
            if not named or named & ANYWHERE:
                yield f"{where(one)}: everybody may speak to its API"
        written = {
            said(log, "category")
            for setting in found.get("azurerm_monitor_diagnostic_setting", [])
            for log in many(setting.get("enabled_log"))
        }
        if not {"kube-audit-admin", "guard"} <= written:
            yield f"{where(one)}: who asked it is not written down"
        locked = {lock.get("scope") for lock in found.get("azurerm_management_lock", [])}
        if production and one["id"] not in locked:
            yield f"{where(one)}: nothing keeps it from being deleted"
    for one in found.get("azurerm_role_assignment", []):
        allowed = "Azure Kubernetes Service Cluster User Role"
        releases = ".release" in where(one) and said(one, "role_definition_name") != "AcrPull"
        if found.get("azurerm_kubernetes_cluster") and releases:
            yield from must(one, role_definition_name=allowed)
    for one in found.get("azurerm_web_application_firewall_policy", []):
        yield from must(one, policy_settings__enabled=True, policy_settings__mode="Prevention")
    if found.get("azurerm_application_load_balancer") and not found.get(
        "azurerm_application_load_balancer_security_policy"
    ):
        yield "the gateway has no firewall"
