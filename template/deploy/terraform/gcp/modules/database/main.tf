# PostgreSQL with pgvector, which Cloud SQL brings along; `app db create-roles` switches it on. It has no
# address but one inside our network, and a certificate for its name, which `verify-full` needs.

resource "random_password" "admin" {
  length  = 40
  special = false
}

resource "google_sql_database_instance" "this" {
  name                = var.name
  region              = var.region
  database_version    = "POSTGRES_17"
  deletion_protection = var.production

  settings {
    tier                        = var.tier
    edition                     = "ENTERPRISE"
    availability_type           = var.production ? "REGIONAL" : "ZONAL"
    disk_size                   = var.gigabytes
    disk_autoresize             = true
    disk_autoresize_limit       = var.gigabytes * 10
    deletion_protection_enabled = var.production
    retain_backups_on_delete    = var.production

    # Restores to any second of these days.
    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      start_time                     = "02:00"
      transaction_log_retention_days = 7

      backup_retention_settings {
        retained_backups = var.production ? 35 : 7
      }
    }

    ip_configuration {
      ipv4_enabled   = false
      ssl_mode       = "ENCRYPTED_ONLY"
      server_ca_mode = "GOOGLE_MANAGED_CAS_CA"

      psc_config {
        psc_enabled               = true
        allowed_consumer_projects = [var.project]
      }
    }

    database_flags {
      name  = "max_connections"
      value = tostring(var.most_connections)
    }

    # Slow statements, never what people wrote into them.
    database_flags {
      name  = "log_min_duration_statement"
      value = "1000"
    }

    database_flags {
      name  = "log_parameter_max_length"
      value = "0"
    }

    maintenance_window {
      day  = 7
      hour = 3
    }
  }
}

resource "google_sql_user" "admin" {
  instance = google_sql_database_instance.this.name
  name     = "postgres"
  password = random_password.admin.result
  # It owns what it made, and goes with the instance: PostgreSQL would not let it go alone.
  deletion_policy = "ABANDON"
}

resource "google_compute_address" "this" {
  name         = "${var.name}-database"
  region       = var.region
  address_type = "INTERNAL"
  subnetwork   = var.subnet
}

resource "google_compute_forwarding_rule" "this" {
  name                  = "${var.name}-database"
  region                = var.region
  network               = var.network
  ip_address            = google_compute_address.this.id
  target                = google_sql_database_instance.this.psc_service_attachment_link
  load_balancing_scheme = ""
}

resource "google_dns_managed_zone" "this" {
  name       = "${var.name}-database"
  dns_name   = google_sql_database_instance.this.dns_name
  visibility = "private"

  private_visibility_config {
    networks {
      network_url = var.network
    }
  }
}

resource "google_dns_record_set" "this" {
  managed_zone = google_dns_managed_zone.this.name
  name         = google_sql_database_instance.this.dns_name
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_address.this.address]
}

resource "google_monitoring_alert_policy" "this" {
  for_each = {
    "cpu/utilization"    = "The database's processors are busy"
    "disk/utilization"   = "The database's disk is nearly full"
    "memory/utilization" = "The database's memory is nearly full"
  }

  display_name          = "${var.name}: ${each.value}"
  combiner              = "OR"
  notification_channels = var.channels

  conditions {
    display_name = each.value

    condition_threshold {
      filter          = "resource.type = \"cloudsql_database\" AND resource.labels.database_id = \"${var.project}:${google_sql_database_instance.this.name}\" AND metric.type = \"cloudsql.googleapis.com/database/${each.key}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0.85
      duration        = "600s"

      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_MEAN"
      }
    }
  }
}

resource "google_monitoring_alert_policy" "connections" {
  display_name          = "${var.name}: The database's connections run out"
  combiner              = "OR"
  notification_channels = var.channels

  conditions {
    display_name = "More than 85 % for ten minutes"

    condition_threshold {
      filter          = "resource.type = \"cloudsql_database\" AND resource.labels.database_id = \"${var.project}:${google_sql_database_instance.this.name}\" AND metric.type = \"cloudsql.googleapis.com/database/postgresql/num_backends\""
      comparison      = "COMPARISON_GT"
      threshold_value = var.most_connections * 0.85
      duration        = "600s"

      # Told of each database by itself.
      aggregations {
        alignment_period     = "300s"
        per_series_aligner   = "ALIGN_MEAN"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
}
