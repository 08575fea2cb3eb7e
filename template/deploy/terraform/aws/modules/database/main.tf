# PostgreSQL with pgvector, which RDS brings along; `app db create-roles` switches it on.

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = var.subnets
}

resource "aws_security_group" "this" {
  name        = "app-${var.name}-database"
  description = "The database: from processes of the app only"
  vpc_id      = var.vpc
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  count = length(var.clients)

  security_group_id            = aws_security_group.this.id
  description                  = "Processes of the app"
  referenced_security_group_id = var.clients[count.index]
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  family      = "postgres17"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "password_encryption"
    value = "scram-sha-256"
  }

  # Slow statements, never what people wrote into them.
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  parameter {
    name  = "log_parameter_max_length"
    value = "0"
  }

  lifecycle {
    create_before_destroy = true
  }
}

# Made by itself, a log would be kept for ever.
resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["postgresql", "upgrade"])

  name              = "/aws/rds/instance/${var.name}/${each.key}"
  retention_in_days = 60
}

resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = "17"
  instance_class = var.class

  allocated_storage     = var.gigabytes
  max_allocated_storage = var.gigabytes * 10
  storage_type          = "gp3"
  storage_encrypted     = true
  kms_key_id            = var.key

  # Amazon keeps and changes the administrator's password; only the job `roles` reads it.
  username                      = "postgres"
  manage_master_user_password   = true
  master_user_secret_kms_key_id = var.key

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  parameter_group_name   = aws_db_parameter_group.this.name
  ca_cert_identifier     = "rds-ca-rsa2048-g1"
  publicly_accessible    = false

  # Restores to any second of these days.
  backup_retention_period   = var.production ? 35 : 7
  backup_window             = "02:00-03:00"
  maintenance_window        = "sun:03:30-sun:04:30"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = false
  skip_final_snapshot       = !var.production
  final_snapshot_identifier = var.production ? "${var.name}-final" : null
  deletion_protection       = var.production

  multi_az                        = var.production
  auto_minor_version_upgrade      = true
  performance_insights_enabled    = true
  performance_insights_kms_key_id = var.key
  enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]

  depends_on = [aws_cloudwatch_log_group.this]
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = {
    CPUUtilization      = { above = true, limit = 80, says = "The database's processors are busy" }
    FreeStorageSpace    = { above = false, limit = 5 * pow(1024, 3), says = "The database's disk is nearly full" }
    DatabaseConnections = { above = true, limit = var.most_connections * 0.85, says = "The database's connections run out" }
  }

  alarm_name          = "${var.name}-database-${each.key}"
  alarm_description   = each.value.says
  namespace           = "AWS/RDS"
  metric_name         = each.key
  dimensions          = { DBInstanceIdentifier = aws_db_instance.this.identifier }
  statistic           = "Average"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = each.value.above ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.limit
  alarm_actions       = var.alarm_topics
  ok_actions          = var.alarm_topics
}
