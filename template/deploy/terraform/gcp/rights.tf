# Who may do what. Each part of the app is an account of its own, and reads its own secrets only.

resource "google_service_account" "app" {
  account_id   = "${local.name}-app"
  display_name = "${local.name}: app and worker"
}

resource "google_service_account" "job" {
  for_each = local.job_secrets

  account_id   = "${local.name}-${substr(each.key, 0, 4)}"
  display_name = "${local.name}: the job ${each.key}"
}

locals {
  readers = merge(
    { for secret in distinct(values(local.app_secrets)) :
    "app/${secret}" => { secret = secret, member = google_service_account.app.member } },
    merge([for job, given in local.job_secrets :
      { for secret in distinct(values(given)) :
    "${job}/${secret}" => { secret = secret, member = google_service_account.job[job].member } }]...),
  )
}

resource "google_secret_manager_secret_iam_member" "reader" {
  for_each = local.readers

  secret_id = google_secret_manager_secret.this[each.value.secret].id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value.member
}

# To ask models, and nothing else of Vertex AI.
resource "google_project_iam_custom_role" "models" {
  count = local.vertex ? 1 : 0

  role_id     = replace("${local.name}_models", "-", "_")
  title       = "${local.name}: asks models"
  permissions = ["aiplatform.endpoints.predict"]
}

resource "google_project_iam_member" "models" {
  count = local.vertex ? 1 : 0

  project = var.project
  role    = google_project_iam_custom_role.models[0].name
  member  = google_service_account.app.member
}
