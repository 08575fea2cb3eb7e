# The app on ECS Fargate behind a load balancer with a firewall.

variable "image" {
  description = "The image of the first start, by digest or tag; later releases are release.sh's."
  type        = string
}

locals {
  database_clients = [module.containers.security_group]
  # Whether a release shares requests between two versions.
  split = var.release_strategy != "rolling"
}

module "edge" {
  source = "./modules/edge"

  name         = local.name
  domain       = var.domain
  dns_zone     = var.dns_zone
  vpc          = module.network.vpc
  subnets      = module.network.public_subnets
  clients      = module.containers.security_group
  production   = local.production
  split        = local.split
  alarm_topics = [module.monitoring.topic]

  requests_a_minute = local.requests_a_minute
}

module "containers" {
  source = "./modules/containers"

  name          = local.name
  image         = var.image
  documents     = var.documents
  vpc           = module.network.vpc
  subnets       = module.network.private_subnets
  load_balancer = module.edge.security_group
  target_groups = module.edge.target_groups
  shares        = module.edge.shares
  settings = merge(
    local.settings,
    # It runs beside each process and listens to nobody else.
    var.documents ? { DOCUMENTS_SCANNER = "tcp://localhost:3310" } : {},
    # What the new version is judged by while few people have it.
    local.split ? { METRICS_LOG_SECONDS = "60" } : {},
  )
  secrets        = { for name in local.secrets : name => aws_secretsmanager_secret.this[name].arn }
  role_passwords = { for name, secret in aws_secretsmanager_secret.role : name => secret.arn }
  database = {
    admin_secret = module.database.admin_secret
    admin_url    = "postgresql://postgres${format(local.database_url, "postgres")}"
    owner_url    = "postgresql://app_owner${format(local.database_url, "app")}"
  }
  rights       = local.rights
  key          = aws_kms_key.this.arn
  app          = { least = local.app_least, most = local.app_most }
  worker       = { least = local.worker_least, most = local.worker_most }
  alarm_topics = [module.monitoring.topic]
}

locals {
  here = "${var.region}:${data.aws_caller_identity.here.account_id}"
}

data "aws_iam_policy_document" "release" {
  # Amazon knows no finer resource for these two.
  statement {
    sid       = "Describe"
    actions   = ["ecs:DescribeTaskDefinition", "ecs:RegisterTaskDefinition"]
    resources = ["*"]
  }

  statement {
    sid       = "Services"
    actions   = ["ecs:DescribeServices", "ecs:UpdateService"]
    resources = ["arn:aws:ecs:${local.here}:service/${local.name}/*"]
  }

  statement {
    sid       = "Jobs"
    actions   = ["ecs:RunTask"]
    resources = ["arn:aws:ecs:${local.here}:task-definition/${local.name}-migrate:*"]
  }

  statement {
    sid       = "Tasks"
    actions   = ["ecs:DescribeTasks"]
    resources = ["arn:aws:ecs:${local.here}:task/${local.name}/*"]
  }

  statement {
    sid       = "PassOn"
    actions   = ["iam:PassRole"]
    resources = module.containers.task_roles

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ecs-tasks.amazonaws.com"]
    }
  }

  # What a release that shares requests does beside this.
  dynamic "statement" {
    for_each = local.split ? {
      Marks = {
        actions   = ["ecs:ListTagsForResource", "ecs:TagResource"]
        resources = ["arn:aws:ecs:${local.here}:service/${local.name}/app"]
      }
      Shares = {
        actions   = ["elasticloadbalancing:ModifyRule"]
        resources = [module.edge.shares]
      }
      # Amazon knows no finer resource for these two.
      Health = {
        actions   = ["elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetHealth"]
        resources = ["*"]
      }
      Turns = {
        actions   = ["application-autoscaling:RegisterScalableTarget"]
        resources = module.containers.turns
      }
      Figures = {
        actions   = ["logs:FilterLogEvents"]
        resources = ["${module.containers.log}:*"]
      }
    } : {}

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}
