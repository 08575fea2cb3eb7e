# Who may do what. `start` fetches image and secrets before a container runs; `app` is what the
# running app may do. The jobs have no rights of their own and each starts with its own secrets.

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
  }
}

locals {
  # The ARN of a secret, without the part that picks a value out of it.
  start_secrets = concat(values(var.secrets), [var.role_passwords["app"]])
  job_secrets = {
    roles   = concat([var.database.admin_secret], values(var.role_passwords))
    migrate = [var.role_passwords["app_owner"]]
  }
}

resource "aws_iam_role" "start" {
  name               = "${var.name}-start"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role" "start_job" {
  for_each = local.jobs

  name               = "${var.name}-start-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy_attachment" "start" {
  for_each = merge(
    { service = aws_iam_role.start.name },
    { for name, role in aws_iam_role.start_job : name => role.name },
  )

  role       = each.value
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

data "aws_iam_policy_document" "secrets" {
  for_each = merge({ service = local.start_secrets }, local.job_secrets)

  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = each.value
  }

  statement {
    actions   = ["kms:Decrypt"]
    resources = [var.key]
  }
}

resource "aws_iam_role_policy" "start" {
  name   = "secrets"
  role   = aws_iam_role.start.id
  policy = data.aws_iam_policy_document.secrets["service"].json
}

resource "aws_iam_role_policy" "start_job" {
  for_each = local.jobs

  name   = "secrets"
  role   = aws_iam_role.start_job[each.key].id
  policy = data.aws_iam_policy_document.secrets[each.key].json
}

resource "aws_iam_role" "app" {
  name               = "${var.name}-app"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

resource "aws_iam_role_policy" "app" {
  count = length(var.rights)

  name   = "app"
  role   = aws_iam_role.app.id
  policy = var.rights[count.index]
}
