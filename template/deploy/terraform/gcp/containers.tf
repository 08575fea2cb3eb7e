# The app on Cloud Run behind a load balancer with a firewall.

variable "image" {
  description = "The image of the first start, by digest or tag; later releases are release.sh's."
  type        = string
}

module "containers" {
  source = "./modules/containers"

  name      = local.name
  region    = var.region
  image     = var.image
  documents = var.documents
  network   = module.network.id
  subnet    = module.network.subnet
  settings  = local.settings
  secrets = {
    for name, secret in local.app_secrets : name => google_secret_manager_secret.this[secret].secret_id
  }
  account    = google_service_account.app.email
  app        = { least = local.app_least, most = local.app_most }
  workers    = local.workers
  production = local.production
  jobs = {
    roles = {
      command  = ["app", "db", "create-roles"]
      account  = google_service_account.job["roles"].email
      settings = { DATABASE_ADMIN_URL = "postgresql://postgres${format(local.database_url, "postgres")}" }
      secrets = {
        for name, secret in local.job_secrets.roles :
        name => google_secret_manager_secret.this[secret].secret_id
      }
    }
    migrate = {
      command  = ["app", "db", "upgrade"]
      account  = google_service_account.job["migrate"].email
      settings = { DATABASE_OWNER_URL = "postgresql://app_owner${format(local.database_url, "app")}" }
      secrets = {
        for name, secret in local.job_secrets.migrate :
        name => google_secret_manager_secret.this[secret].secret_id
      }
    }
  }

  depends_on = [google_secret_manager_secret_iam_member.reader]
}

module "edge" {
  source = "./modules/edge"

  name     = local.name
  region   = var.region
  domain   = var.domain
  dns_zone = var.dns_zone
  service  = module.containers.service
}

# What CI may do here: bring a new image to these, and nothing else.
module "ci" {
  source = "./modules/ci"
  count  = length(var.ci_principals) > 0 ? 1 : 0

  name       = local.name
  region     = var.region
  principals = var.ci_principals
  repository = var.slug
  service    = module.containers.service
  workers    = module.containers.workers
  migrate    = module.containers.migrate
  accounts   = [google_service_account.app.name, google_service_account.job["migrate"].name]
}

output "release_account" {
  description = "The account that CI takes to release."
  value       = one(module.ci[*].account)
}
