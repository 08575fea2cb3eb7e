# An account that jobs of CI act as, by a token of their own: no key is stored anywhere.

resource "google_service_account" "release" {
  account_id   = "${var.name}-ci"
  display_name = "${var.name}: releases"
}

resource "google_service_account_iam_member" "jobs" {
  for_each = var.principals

  service_account_id = google_service_account.release.name
  role               = "roles/iam.workloadIdentityUser"
  member             = each.key
}

# Who releases an image must be able to read it.
resource "google_artifact_registry_repository_iam_member" "images" {
  repository = var.repository
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.release.member
}
