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

resource "google_cloud_run_v2_service_iam_member" "app" {
  name     = var.service
  location = var.region
  role     = "roles/run.developer"
  member   = google_service_account.release.member
}

resource "google_cloud_run_v2_worker_pool_iam_member" "workers" {
  name     = var.workers
  location = var.region
  role     = "roles/run.developer"
  member   = google_service_account.release.member
}

resource "google_cloud_run_v2_job_iam_member" "migrate" {
  name     = var.migrate
  location = var.region
  role     = "roles/run.developer"
  member   = google_service_account.release.member
}

# Who releases an image must be able to read it.
resource "google_artifact_registry_repository_iam_member" "images" {
  repository = var.repository
  location   = var.region
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.release.member
}

# A release says that the new version runs as the accounts that the old one ran as.
resource "google_service_account_iam_member" "pass_on" {
  count = length(var.accounts)

  service_account_id = var.accounts[count.index]
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.release.member
}
