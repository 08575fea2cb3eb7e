# What a runtime stands on. containers.tf or kubernetes.tf adds what runs the app.

module "network" {
  source = "./modules/network"

  name    = local.name
  network = var.network
  # One way out per zone, so that production outlives a zone.
  nat_gateways = local.production ? 2 : 1
  private_models = (
    local.bedrock ? ["com.amazonaws.${var.region}.bedrock-runtime"] : []
  )
}

resource "aws_kms_key" "this" {
  description             = "${local.name}: database, files and secrets"
  enable_key_rotation     = true
  deletion_window_in_days = 30
}

module "database" {
  source = "./modules/database"

  name             = local.name
  class            = local.database.class
  most_connections = local.database.connections
  gigabytes        = local.database_gigabytes
  production       = local.production
  vpc              = module.network.vpc
  subnets          = module.network.data_subnets
  key              = aws_kms_key.this.arn
  alarm_topics     = [module.monitoring.topic]
  # Only the app's processes, not the load balancer.
  clients = local.database_clients
}

module "files" {
  source = "./modules/files"
  count  = var.documents ? 1 : 0

  name       = local.name
  key        = aws_kms_key.this.arn
  production = local.production
}

module "monitoring" {
  source = "./modules/monitoring"

  name   = local.name
  email  = var.alert_email
  budget = local.budget
}

# What Amazon signs its databases with; no system trusts it by itself.
data "http" "database_ca" {
  url = "https://truststore.pki.rds.amazonaws.com/${var.region}/${var.region}-bundle.pem"

  lifecycle {
    postcondition {
      condition     = self.status_code == 200
      error_message = "Amazon's certificates for RDS could not be read."
    }
  }
}
