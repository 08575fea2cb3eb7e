"""What Terraform for Google Cloud must never say."""

from collections.abc import Iterator

from reading import ANYWHERE, Parsed, many, must, said, where

EVERYBODY = {"allUsers", "allAuthenticatedUsers"}
BROAD = {"roles/owner", "roles/editor", "roles/viewer"}
# To write logs and figures, which Google knows for a whole project only.
OF_MACHINES = "roles/container.defaultNodeServiceAccount"


def gcp(found: Parsed, production: bool) -> Iterator[str]:
    yield from network(found)
    yield from database(found, production)
    yield from buckets(found)
    yield from rights(found)
    yield from edge(found, production)
    yield from cluster(found, production)


def network(found: Parsed) -> Iterator[str]:
    for one in found.get("google_compute_network", []):
        yield from must(one, auto_create_subnetworks=False)
    for one in found.get("google_compute_firewall", []):
        incoming = one.get("direction", "INGRESS") == "INGRESS"
        if incoming and set(many(one.get("source_ranges"))) & ANYWHERE:
            yield f"{where(one)}: open to the internet"
    for one in found.get("google_cloud_run_v2_service", []):
        yield from must(one, ingress="INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER")


def database(found: Parsed, production: bool) -> Iterator[str]:
    if not found.get("google_sql_database_instance"):
        yield "there is no database"
    for one in found.get("google_sql_database_instance", []):
        yield from must(
            one,
            settings__ip_configuration__ipv4_enabled=False,
            settings__ip_configuration__ssl_mode="ENCRYPTED_ONLY",
            # Only with this one is its name in its certificate.
            settings__ip_configuration__server_ca_mode="GOOGLE_MANAGED_CAS_CA",
            settings__backup_configuration__enabled=True,
            settings__backup_configuration__point_in_time_recovery_enabled=True,
        )
        if said(one, "settings", "ip_configuration", "authorized_networks"):
            yield f"{where(one)}: lets networks in"
        if production:
            yield from must(
                one,
                deletion_protection=True,
                settings__deletion_protection_enabled=True,
                settings__availability_type="REGIONAL",
            )


def buckets(found: Parsed) -> Iterator[str]:
    for one in found.get("google_storage_bucket", []):
        yield from must(
            one,
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning__enabled=True,
        )


def rights(found: Parsed) -> Iterator[str]:
    for kind, ones in found.items():
        for one in ones if "_iam_" in kind else []:
            if EVERYBODY & {str(m) for m in [one.get("member"), *many(one.get("members"))]}:
                yield f"{where(one)}: allows everybody"
            if str(one.get("role")) in BROAD:
                yield f"{where(one)}: gives {one['role']}"
            machines = one.get("role") == OF_MACHINES and where(one).endswith(".node")
            everywhere = kind == "google_project_iam_member" and "roles/" in str(one.get("role"))
            if everywhere and not machines:
                yield f"{where(one)}: gives a right over all of the project"
            if "[*" in str(one.get("member")) or "/*]" in str(one.get("member")):
                yield f"{where(one)}: lets any pod act as it"
    for one in found.get("google_project_iam_custom_role", []):
        kept = {"aiplatform.endpoints.predict", "container.clusters.get"}
        kept |= {"logging.logEntries.list"} if ".figures" in where(one) else set()
        if not set(many(one.get("permissions"))) <= kept:
            yield f"{where(one)}: allows more than it says"
    for one in found.get("google_iam_workload_identity_pool_provider", []):
        if "assertion.sub" not in str(one.get("attribute_condition")):
            yield f"{where(one)}: trusts every job of the issuer"
    if found.get("google_service_account_key"):
        yield "a service account has a key"


def edge(found: Parsed, production: bool) -> Iterator[str]:
    for one in found.get("google_compute_backend_service", []):
        if not one.get("security_policy"):
            yield f"{where(one)}: has no firewall"
    for one in found.get("google_compute_ssl_policy", []):
        yield from must(one, min_tls_version="TLS_1_2", profile="RESTRICTED")
    for one in found.get("google_compute_target_https_proxy", []):
        if not one.get("ssl_policy"):
            yield f"{where(one)}: allows old versions of TLS"
    for one in found.get("google_compute_url_map", []):
        if "redirect" in where(one):
            yield from must(one, default_url_redirect__https_redirect=True)
    if production:
        for kind in ("google_cloud_run_v2_service", "google_cloud_run_v2_worker_pool"):
            for one in found.get(kind, []):
                yield from must(one, deletion_protection=True)
    budgeted = found.get("google_billing_budget") or found.get(
        "google_artifact_registry_repository"
    )
    if not budgeted:
        yield "there is no alarm for the budget"


def cluster(found: Parsed, production: bool) -> Iterator[str]:
    for one in found.get("google_container_cluster", []):
        yield from must(
            one,
            # With it come Dataplane V2, which enforces policies, and identities of pods.
            enable_autopilot=True,
            private_cluster_config__enable_private_nodes=True,
            master_authorized_networks_config__gcp_public_cidrs_access_enabled=False,
            database_encryption__state="ENCRYPTED",
            master_auth__client_certificate_config__issue_client_certificate=False,
            security_posture_config__mode="BASIC",
            **({"deletion_protection": True} if production else {}),
        )
        blocks = many(said(one, "master_authorized_networks_config", "cidr_blocks"))
        if not blocks or {str(block.get("cidr_block")) for block in blocks} & ANYWHERE:
            yield f"{where(one)}: everybody may speak to its API"
        if not said(one, "cluster_autoscaling", "auto_provisioning_defaults", "service_account"):
            yield f"{where(one)}: its machines are the project's default account"
        if not said(one, "release_channel", "channel"):
            yield f"{where(one)}: nobody raises its version"
    for one in found.get("google_kms_crypto_key", []):
        if not one.get("rotation_period"):
            yield f"{where(one)}: is never rotated"
