# The app on Cloud Run behind a load balancer with a firewall.

variable "image" {
  description = "The image of the first start, by digest or tag; later releases are release.sh's."
  type        = string
}

locals {
  runtime_services = ["run"]
  secondary_ranges = {}
}

module "containers" {
  source = "./modules/containers"

  name      = local.name
  region    = var.region
  image     = var.image
  documents = var.documents
  network   = module.network.id
  subnet    = module.network.subnet
  settings = merge(
    local.settings,
    # It runs beside each process and listens to nobody else.
    var.documents ? { DOCUMENTS_SCANNER = "tcp://localhost:3310" } : {},
    # What the new version is judged by while few people have it.
    var.release_strategy == "rolling" ? {} : { METRICS_LOG_SECONDS = "60" },
  )
  secrets = {
    for name, secret in local.app_secrets : name => google_secret_manager_secret.this[secret].secret_id
  }
  account    = google_service_account.app.email
  app        = { least = local.app_least, most = local.app_most }
  workers    = local.workers
  production = local.production
  edge       = module.edge.ids
  releases   = module.ci[*].member
  channels   = [module.monitoring.channel]
  accounts   = [google_service_account.app.name, google_service_account.job["migrate"].name]
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

# A release that is watched reads what the app counted, in its log. Google knows no finer part of the logs than
# what this kind of process writes: no log of the database, the load balancer or of who did what.
resource "google_logging_log_view" "figures" {
  count = var.release_strategy == "rolling" ? 0 : length(module.ci)

  name        = "${local.name}-figures"
  bucket      = "_Default"
  location    = "global"
  parent      = "projects/${var.project}"
  description = "Where a release finds the figures of the new version."
  filter      = "resource.type = \"cloud_run_revision\" AND LOG_ID(\"run.googleapis.com/stdout\")"
}

resource "google_logging_log_view_iam_member" "figures" {
  count = length(google_logging_log_view.figures)

  name     = google_logging_log_view.figures[count.index].name
  bucket   = "_Default"
  location = "global"
  parent   = "projects/${var.project}"
  role     = "roles/logging.viewAccessor"
  member   = module.ci[0].member
}

# Each part of the app is an account of its own, and reads its own secrets only.

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
