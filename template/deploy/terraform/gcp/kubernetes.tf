# The app on GKE behind a Gateway with the same address, certificate and firewall: the chart in
# deploy/chart, what it stands on in deploy/cluster. How the two get there is told by kubernetes.md.

variable "cluster_clients" {
  description = "Blocks of addresses beside the network that may speak to Kubernetes' API. None: only from within."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.cluster_clients : try(tonumber(split("/", one)[1]), 0) >= 16])
    error_message = "cluster_clients are few, such as 203.0.113.7/32; a /16 is the widest."
  }
}

locals {
  runtime_services = ["container", "cloudkms"]
  # Room for 256 machines of 64 addresses each, and for 4096 Services.
  secondary_ranges = {
    pods     = cidrsubnet(var.network, 2, 1)
    services = cidrsubnet(var.network, 4, 8)
  }

  # As scripts/ship/release.py names it.
  namespace = "${var.slug}-${var.environment}"

  # Where External Secrets finds what each part of the app is given.
  found = { for name, secret in google_secret_manager_secret.this : name => { key = secret.secret_id } }
}

module "kubernetes" {
  source = "./modules/kubernetes"

  name            = local.name
  project         = var.project
  region          = var.region
  namespace       = local.namespace
  service_account = var.slug
  network         = module.network.id
  subnet          = module.network.subnet
  block           = var.network
  ranges          = concat([module.network.block], values(local.secondary_ranges))
  clients         = var.cluster_clients
  repository      = var.slug
  account         = google_service_account.app.name
  secrets         = { for name, secret in google_secret_manager_secret.this : name => secret.id }
  releases        = module.ci[*].member
  production      = local.production
  channels        = [module.monitoring.channel]

  depends_on = [google_project_service.used]
}

# What the chart must know of this cloud; it goes to deploy/chart/cloud-ENVIRONMENT.yaml and holds no secret.
output "values" {
  description = "Values of the chart that Terraform knows."
  value = yamlencode({
    host     = var.domain
    settings = local.settings
    jobs = {
      settings = {
        DATABASE_CA        = local.settings.DATABASE_CA
        DATABASE_ADMIN_URL = "postgresql://postgres${format(local.database_url, "postgres")}"
        DATABASE_OWNER_URL = "postgresql://app_owner${format(local.database_url, "app")}"
      }
    }
    secrets = {
      external = {
        app   = { for name, secret in local.app_secrets : name => local.found[secret] }
        owner = { for name, secret in local.job_secrets.migrate : name => local.found[secret] }
        admin = { for name, secret in local.job_secrets.roles : name => local.found[secret] }
      }
    }
    identity = { annotations = { "iam.gke.io/gcp-service-account" = google_service_account.app.email } }
    app      = { replicas = local.app_least, mostReplicas = local.app_most }
    worker   = { replicas = local.workers, mostReplicas = local.workers }
    entry = {
      gateway  = { name = "app", namespace = local.namespace, listener = "https" }
      firewall = module.edge.names.firewall
      # Google's load balancers and their checks come from these, of all projects alike.
      blocks = ["130.211.0.0/22", "35.191.0.0/16"]
    }
    network = {
      database = { port = 5432, blocks = ["${module.database.ip}/32"], namespaces = [] }
      # The cache of names on each machine, and Google's own service for them.
      names = { blocks = ["169.254.20.10/32", "169.254.169.254/32"] }
      # Google's interfaces, at an address of ours: files, and with Vertex AI the models.
      cloud = [{ blocks = ["${module.network.google}/32"], port = 443 }]
    }
  })
}

# What cluster.sh must know.
output "cluster" {
  description = "Where what the app stands on is installed."
  value = {
    name            = module.kubernetes.cluster
    region          = var.region
    project         = var.project
    namespace       = local.namespace
    secrets_account = module.kubernetes.secrets_account
    address         = module.edge.names.address
    certificate     = module.edge.names.certificate
    tls_policy      = module.edge.names.tls_policy
    # By address, and by number where a token does not say the address.
    releases = join(",", concat(module.ci[*].account, module.ci[*].id))
  }
}
