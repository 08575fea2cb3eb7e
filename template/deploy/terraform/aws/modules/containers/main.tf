# One image, four ways to start it: app, worker and the jobs `roles` and `migrate`.

data "aws_region" "here" {}

locals {
  plain = [for name, value in var.settings : { name = name, value = value }]
  secret = concat(
    [for name, arn in var.secrets : { name = name, valueFrom = arn }],
    [{ name = "PGPASSWORD", valueFrom = var.role_passwords["app"] }],
  )

  # What each of the two jobs knows; what faces the internet knows neither.
  jobs = {
    roles = {
      command = ["db", "create-roles"]
      plain   = { DATABASE_ADMIN_URL = var.database.admin_url }
      secret = {
        PGPASSWORD              = "${var.database.admin_secret}:password::"
        DATABASE_APP_PASSWORD   = var.role_passwords["app"]
        DATABASE_OWNER_PASSWORD = var.role_passwords["app_owner"]
      }
    }
    migrate = {
      command = ["db", "upgrade"]
      plain   = { DATABASE_OWNER_URL = var.database.owner_url }
      secret  = { PGPASSWORD = var.role_passwords["app_owner"] }
    }
  }

  container = {
    image                  = var.image
    essential              = true
    user                   = "10001"
    readonlyRootFilesystem = true
    stopTimeout            = 30
    linuxParameters        = { initProcessEnabled = true, capabilities = { drop = ["ALL"] } }
    mountPoints            = [{ sourceVolume = "tmp", containerPath = "/tmp" }]
  }

  log_options = {
    for part in ["app", "worker", "roles", "migrate", "scanner"] : part => {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.this.name
        "awslogs-region"        = data.aws_region.here.region
        "awslogs-stream-prefix" = part
      }
    }
  }

  # Looks for viruses in uploads; it takes minutes to load its signatures, and until then none are taken.
  scanner = {
    name             = "scanner"
    image            = "clamav/clamav:1.4"
    essential        = true
    cpu              = 512
    memory           = 4096
    logConfiguration = local.log_options["scanner"]
  }
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/${var.name}/app"
  retention_in_days = 60
}

resource "aws_security_group" "this" {
  name        = "app-${var.name}"
  description = "Processes of the app"
  vpc_id      = var.vpc
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer" {
  security_group_id            = aws_security_group.this.id
  description                  = "The load balancer"
  referenced_security_group_id = var.load_balancer
  ip_protocol                  = "tcp"
  from_port                    = 8000
  to_port                      = 8000
}

# Out: HTTPS to models and Amazon, mail, the database. Add the port of a model server of yours.
resource "aws_vpc_security_group_egress_rule" "out" {
  for_each = toset(["443", "465", "587", "5432"])

  security_group_id = aws_security_group.this.id
  description       = "Port ${each.key}"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.key)
  to_port           = tonumber(each.key)
}

resource "aws_ecs_task_definition" "service" {
  for_each = {
    app    = { cpu = 1024, memory = 2048, command = "serve", scanned = var.documents }
    worker = { cpu = 1024, memory = 2048, command = "worker", scanned = false }
  }

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  # Also the first one may be what people go back to.
  skip_destroy = true
  # The scanner holds its signatures in memory.
  memory             = each.value.memory + (each.value.scanned ? 4096 : 0)
  execution_role_arn = aws_iam_role.start.arn
  task_role_arn      = aws_iam_role.app.arn

  volume {
    name = "tmp"
  }

  container_definitions = jsonencode(concat(
    [merge(local.container, {
      name             = "app"
      command          = ["app", each.value.command]
      environment      = local.plain
      secrets          = local.secret
      logConfiguration = local.log_options[each.key]
      portMappings     = each.key == "app" ? [{ containerPort = 8000 }] : []
    })],
    each.value.scanned ? [local.scanner] : [],
  ))
}

resource "aws_ecs_task_definition" "job" {
  for_each = local.jobs

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.start_job[each.key].arn

  volume {
    name = "tmp"
  }

  container_definitions = jsonencode([merge(local.container, {
    name    = "app"
    command = concat(["app"], each.value.command)
    environment = [
      for name, value in merge({ DATABASE_CA = var.settings.DATABASE_CA }, each.value.plain) :
      { name = name, value = value }
    ]
    secrets          = [for name, arn in each.value.secret : { name = name, valueFrom = arn }]
    logConfiguration = local.log_options[each.key]
  })])
}

moved {
  from = aws_ecs_service.app
  to   = aws_ecs_service.app["app"]
}

# Two where a release shares requests: they take turns, and the one that has none is empty.
resource "aws_ecs_service" "app" {
  for_each = var.target_groups

  name                              = each.key
  cluster                           = aws_ecs_cluster.this.id
  task_definition                   = aws_ecs_task_definition.service["app"].arn
  launch_type                       = "FARGATE"
  desired_count                     = each.key == "app" ? var.app.least : 0
  health_check_grace_period_seconds = 120
  # The new ones stand before the old ones go.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "ENABLED"

  # What does not become ready is taken back.
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  load_balancer {
    target_group_arn = each.value
    container_name   = "app"
    container_port   = 8000
  }

  network_configuration {
    subnets         = var.subnets
    security_groups = [aws_security_group.this.id]
  }

  # What a release must know. It writes beside it which version is live, next and before.
  tags = each.key == "app" && length(var.target_groups) > 1 ? {
    rule  = var.shares
    least = tostring(var.app.least)
    most  = tostring(var.app.most)
  } : {}

  # Releases are release.sh's, the number is autoscaling's.
  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}

resource "aws_ecs_service" "worker" {
  name            = "worker"
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.service["worker"].arn
  launch_type     = "FARGATE"
  desired_count   = var.worker.least

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = var.subnets
    security_groups = [aws_security_group.this.id]
  }

  lifecycle {
    ignore_changes = [task_definition, desired_count]
  }
}
