# What a runtime stands on. containers.tf or kubernetes.tf adds what runs the app.

resource "google_project_service" "used" {
  for_each = toset(concat(
    [
      "compute", "sqladmin", "secretmanager", "dns", "logging", "monitoring", "billingbudgets", "storage",
      "artifactregistry", "iam", "iamcredentials", "sts", "cloudresourcemanager",
    ],
    local.runtime_services,
    local.vertex ? ["aiplatform"] : [],
  ))

  service            = "${each.key}.googleapis.com"
  disable_on_destroy = false
}

module "network" {
  source = "./modules/network"

  name    = local.name
  region  = var.region
  network = var.network
  # Pods and Services of a cluster; none for containers.
  secondary_ranges = local.secondary_ranges

  depends_on = [google_project_service.used]
}

module "database" {
  source = "./modules/database"

  name             = local.name
  project          = var.project
  region           = var.region
  tier             = local.database_tier
  most_connections = local.most_connections
  gigabytes        = local.database_gigabytes
  production       = local.production
  network          = module.network.id
  subnet           = module.network.subnet
  channels         = [module.monitoring.channel]

  depends_on = [google_project_service.used]
}

module "files" {
  source = "./modules/files"
  count  = var.documents ? 1 : 0

  # Names of buckets are the whole world's, and so are those of projects.
  name       = "${var.project}-${var.environment}-files"
  region     = var.region
  production = local.production
  user       = google_service_account.app.email
}

module "edge" {
  source = "./modules/edge"

  name     = local.name
  domain   = var.domain
  dns_zone = var.dns_zone

  requests_a_minute = local.requests_a_minute

  depends_on = [google_project_service.used]
}

module "monitoring" {
  source = "./modules/monitoring"

  name            = local.name
  project         = var.project
  email           = var.alert_email
  domain          = var.domain
  billing_account = var.billing_account
  budget          = local.budget

  depends_on = [google_project_service.used]
}
