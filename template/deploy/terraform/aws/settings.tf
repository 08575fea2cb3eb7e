# The app's settings: docs/settings.md. Plain ones here, secrets in Secrets Manager.

locals {
  bedrock = contains([var.llm_provider, var.llm_fallback], "bedrock")
  # Bedrock is billed here; other providers send their own bill.
  budget = var.infrastructure_budget + (local.bedrock ? var.monthly_budget : 0)

  database_url = "@${module.database.address}:5432/%s?sslmode=verify-full"

  # Passwords come as PGPASSWORD, so that an address is no secret.
  settings = merge(
    {
      APP_ENV         = "production"
      PUBLIC_URL      = "https://${var.domain}"
      TRUSTED_PROXIES = "1"
      DATABASE_URL    = "postgresql://app${format(local.database_url, "app")}"
      DATABASE_CA     = data.http.database_ca.response_body
      MAIL_BACKEND    = "smtp"
    },
    var.documents ? {
      STORAGE_BACKEND   = "s3"
      STORAGE_S3_URL    = "https://s3.${var.region}.amazonaws.com"
      STORAGE_S3_BUCKET = module.files[0].bucket
      STORAGE_S3_REGION = var.region
    } : {},
    var.llm_provider == "bedrock" ? { LLM_LOCATION = var.region } : {},
    var.llm_fallback == "bedrock" ? { LLM_FALLBACK_LOCATION = var.region } : {},
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
}

# Staging can be made again at once: a name that waits to be forgotten is taken.
resource "aws_secretsmanager_secret" "this" {
  for_each = local.secrets

  name                    = "${local.name}/${each.key}"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = local.production ? 30 : 0
}

# The passwords of the roles that `app db create-roles` makes. These do stand in the state, which is
# encrypted; a new one: terraform apply -replace='random_password.role["app"]', then the job `roles`.
resource "random_password" "role" {
  for_each = toset(["app", "app_owner"])

  length  = 40
  special = false
}

resource "aws_secretsmanager_secret" "role" {
  for_each = random_password.role

  name                    = "${local.name}/database/${each.key}"
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = local.production ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "role" {
  for_each = random_password.role

  secret_id     = aws_secretsmanager_secret.role[each.key].id
  secret_string = each.value.result
}
