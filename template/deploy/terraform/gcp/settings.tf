# The app's settings: docs/settings.md. Plain ones here, secrets in Secret Manager.

locals {
  vertex = contains([var.llm_provider, var.llm_fallback], "vertex")
  # Vertex AI is billed here; other providers send their own bill.
  budget = var.infrastructure_budget + (local.vertex ? var.monthly_budget : 0)

  database_url = "@${module.database.address}:5432/%s?sslmode=verify-full"

  # Passwords come as PGPASSWORD, so that an address is no secret.
  settings = merge(
    {
      APP_ENV    = "production"
      PUBLIC_URL = "https://${var.domain}"
      # Google's load balancer writes two entries: who asked, and itself.
      TRUSTED_PROXIES = "2"
      DATABASE_URL    = "postgresql://app${format(local.database_url, "app")}"
      DATABASE_CA     = module.database.authority
      MAIL_BACKEND    = "smtp"
    },
    var.documents ? {
      STORAGE_BACKEND       = "s3"
      STORAGE_S3_URL        = "https://storage.googleapis.com"
      STORAGE_S3_BUCKET     = module.files[0].bucket
      STORAGE_S3_REGION     = "auto"
      STORAGE_S3_ACCESS_KEY = module.files[0].access_key
    } : {},
    var.llm_provider == "vertex" ? { LLM_PROJECT = var.project, LLM_LOCATION = var.region } : {},
    var.llm_fallback == "vertex" ? {
      LLM_FALLBACK_PROJECT  = var.project
      LLM_FALLBACK_LOCATION = var.region
    } : {},
    var.settings,
  )

  # Terraform makes them empty, people fill them: README.md. They never stand in the state.
  keyed = ["openai", "azure", "anthropic", "google"]
  secrets = setunion(
    ["SECRET_KEY", "ENCRYPTION_KEYS"],
    contains(local.keyed, var.llm_provider) ? ["LLM_API_KEY"] : [],
    contains(local.keyed, var.llm_fallback) ? ["LLM_FALLBACK_API_KEY"] : [],
    var.secrets,
  )

  # Made by Terraform, so they do stand in the state, which is encrypted.
  made = merge(
    { for role, password in random_password.role : "database-${replace(role, "_", "-")}" => password.result },
    { database-postgres = module.database.admin_password },
    var.documents ? { STORAGE_S3_SECRET_KEY = module.files[0].secret_key } : {},
  )
  made_names = concat(
    ["database-app", "database-app-owner", "database-postgres"],
    var.documents ? ["STORAGE_S3_SECRET_KEY"] : [],
  )

  # What each part of the app is given: the setting, and the secret that holds it.
  app_secrets = merge(
    { for name in local.secrets : name => name },
    { PGPASSWORD = "database-app" },
    var.documents ? { STORAGE_S3_SECRET_KEY = "STORAGE_S3_SECRET_KEY" } : {},
  )
  job_secrets = {
    roles = {
      PGPASSWORD              = "database-postgres"
      DATABASE_APP_PASSWORD   = "database-app"
      DATABASE_OWNER_PASSWORD = "database-app-owner"
    }
    migrate = { PGPASSWORD = "database-app-owner" }
  }
}

resource "google_secret_manager_secret" "this" {
  for_each = setunion(local.secrets, local.made_names)

  secret_id = "${local.name}-${each.key}"

  # Where the data are, and nowhere else.
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.used]
}

resource "google_secret_manager_secret_version" "made" {
  for_each = toset(local.made_names)

  secret      = google_secret_manager_secret.this[each.key].id
  secret_data = local.made[each.key]
}

# The roles that `app db create-roles` makes. A new password:
# terraform apply -replace='random_password.role["app"]', then the job `roles`.
resource "random_password" "role" {
  for_each = toset(["app", "app_owner"])

  length  = 40
  special = false
}
