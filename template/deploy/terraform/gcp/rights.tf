# What the running app may do in this project: its files and its models. Files: modules/files.

resource "google_service_account" "app" {
  account_id   = "${local.name}-app"
  display_name = "${local.name}: app and worker"
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
