# What CI may do here: bring a new image to these, and nothing else.

resource "google_cloud_run_v2_service_iam_member" "app" {
  count = length(var.releases)

  name     = google_cloud_run_v2_service.app.name
  location = var.region
  role     = "roles/run.developer"
  member   = var.releases[count.index]
}

resource "google_cloud_run_v2_worker_pool_iam_member" "workers" {
  count = length(var.releases)

  name     = google_cloud_run_v2_worker_pool.worker.name
  location = var.region
  role     = "roles/run.developer"
  member   = var.releases[count.index]
}

resource "google_cloud_run_v2_job_iam_member" "migrate" {
  count = length(var.releases)

  name     = google_cloud_run_v2_job.this["migrate"].name
  location = var.region
  role     = "roles/run.developer"
  member   = var.releases[count.index]
}

# A release says that the new version runs as the accounts that the old one ran as.
resource "google_service_account_iam_member" "pass_on" {
  count = length(var.releases) * length(var.accounts)

  service_account_id = var.accounts[count.index % length(var.accounts)]
  role               = "roles/iam.serviceAccountUser"
  member             = var.releases[floor(count.index / length(var.accounts))]
}
