# The app on EKS behind the same load balancer: the chart in deploy/chart, what it stands on in
# deploy/cluster. How the two get there is told by kubernetes.md.

variable "cluster_clients" {
  description = "Blocks of addresses beside the network that may speak to Kubernetes' API. None: only from within."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for one in var.cluster_clients : try(tonumber(split("/", one)[1]), 0) >= 16])
    error_message = "cluster_clients are few, such as 203.0.113.7/32; a /16 is the widest."
  }
}

variable "cluster_administrators" {
  description = "ARNs of roles of people who may do everything in the cluster; at least who runs cluster.sh."
  type        = list(string)
  default     = []
}

locals {
  database_clients = [module.kubernetes.security_group]

  # A node of two processors has one and a half for what is asked for in the chart's values: half of
  # one for an app, a quarter for a worker or the scanner, and a whole one for what runs the cluster.
  node        = local.production ? "m7i.large" : "t3.large"
  nodes_least = 2
  nodes_most = max(3, ceil(
    (local.app_most * 0.5 + local.worker_most * 0.25 + 1.25) / 1.5
  ))

  # As scripts/ship/release.py names it.
  namespace = "${var.slug}-${var.environment}"

  secret_names = { for name in local.secrets : name => aws_secretsmanager_secret.this[name].name }
  passwords    = { for role, secret in aws_secretsmanager_secret.role : role => { key = secret.name } }
}

module "edge" {
  source = "./modules/edge"

  name         = local.name
  domain       = var.domain
  dns_zone     = var.dns_zone
  vpc          = module.network.vpc
  subnets      = module.network.public_subnets
  clients      = module.kubernetes.security_group
  production   = local.production
  split        = false
  alarm_topics = [module.monitoring.topic]

  requests_a_minute = local.requests_a_minute
}

module "kubernetes" {
  source = "./modules/kubernetes"

  name            = local.name
  namespace       = local.namespace
  service_account = var.slug
  subnets         = module.network.private_subnets
  load_balancer   = module.edge.security_group
  clients         = var.cluster_clients
  administrators  = var.cluster_administrators
  releases        = module.ci[*].role
  machine         = local.node
  nodes           = { least = local.nodes_least, most = local.nodes_most }
  production      = local.production
  key             = aws_kms_key.this.arn
  rights          = local.rights
  alarm_topics    = [module.monitoring.topic]
  secrets = concat(
    [for secret in aws_secretsmanager_secret.this : secret.arn],
    [for secret in aws_secretsmanager_secret.role : secret.arn],
    [module.database.admin_secret],
  )
}

# What CI may do in the account: find the cluster. What it may do there says deploy/cluster.
data "aws_iam_policy_document" "release" {
  statement {
    actions   = ["eks:DescribeCluster"]
    resources = ["arn:aws:eks:${var.region}:${data.aws_caller_identity.here.account_id}:cluster/${local.name}"]
  }
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
        app = merge(
          { for name, key in local.secret_names : name => { key = key } },
          { PGPASSWORD = local.passwords["app"] },
        )
        owner = { PGPASSWORD = local.passwords["app_owner"] }
        admin = {
          PGPASSWORD              = { key = module.database.admin_secret, property = "password" }
          DATABASE_APP_PASSWORD   = local.passwords["app"]
          DATABASE_OWNER_PASSWORD = local.passwords["app_owner"]
        }
      }
    }
    app    = { replicas = local.app_least, mostReplicas = local.app_most }
    worker = { replicas = local.worker_least, mostReplicas = local.worker_most }
    # The load balancer asks the pods, from the layer that the internet reaches.
    entry = { targetGroup = module.edge.target_groups["app"], blocks = module.network.public_blocks }
    network = {
      database = { port = 5432, blocks = module.network.data_blocks, namespaces = [] }
      # Where pods get their credentials and, with Bedrock, the private way to the models.
      cloud = concat(
        [{ blocks = ["169.254.170.23/32"], port = 80 }],
        local.bedrock ? [{ blocks = module.network.private_blocks, port = 443 }] : [],
      )
    }
  })
}

# What cluster.sh must know.
output "cluster" {
  description = "Where what the app stands on is installed."
  value = {
    name      = module.kubernetes.cluster
    region    = var.region
    network   = module.network.vpc
    namespace = local.namespace
  }
}
