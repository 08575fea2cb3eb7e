# Who may do what. Pods have identities of their own, and none has the machine's. No key is stored anywhere.

# Machines write logs and figures, and fetch images.
resource "google_service_account" "node" {
  account_id   = "${var.name}-node"
  display_name = "${var.name}: machines of the cluster"
}

resource "google_project_iam_member" "node" {
  project = var.project
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.node.member
}

resource "google_artifact_registry_repository_iam_member" "images" {
  repository = var.repository
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.node.member
}

# External Secrets reads the app's secrets, one by one, and no other of the project.
resource "google_service_account" "secrets" {
  account_id   = "${var.name}-secr"
  display_name = "${var.name}: External Secrets"
}

resource "google_secret_manager_secret_iam_member" "secrets" {
  for_each = var.secrets

  secret_id = each.value
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.secrets.member
}

# Exactly these of Kubernetes' accounts may act as these of Google's.
resource "google_service_account_iam_member" "pods" {
  for_each = {
    app     = { account = var.account, pod = "${var.namespace}/${var.service_account}" }
    secrets = { account = google_service_account.secrets.name, pod = "external-secrets/external-secrets" }
  }

  service_account_id = each.value.account
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project}.svc.id.goog[${each.value.pod}]"
  # Its pool comes with the project's first cluster.
  depends_on = [google_container_cluster.this]
}

# CI finds the cluster. What it may do there says deploy/cluster.
resource "google_project_iam_custom_role" "releases" {
  role_id     = replace("${var.name}_releases", "-", "_")
  title       = "${var.name}: finds the cluster"
  permissions = ["container.clusters.get"]
}

resource "google_project_iam_member" "releases" {
  count = length(var.releases)

  project = var.project
  role    = google_project_iam_custom_role.releases.name
  member  = var.releases[count.index]
}
