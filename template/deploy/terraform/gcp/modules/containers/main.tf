# One image, four ways to start it: app, workers and the jobs `roles` and `migrate`.

resource "google_cloud_run_v2_service" "app" {
  name                = "${var.name}-app"
  location            = var.region
  ingress             = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
  deletion_protection = var.production
  # People sign in to the app, not to Google; from outside only the load balancer gets here.
  invoker_iam_disabled = true

  template {
    service_account                  = var.account
    timeout                          = "300s"
    max_instance_request_concurrency = 80

    scaling {
      min_instance_count = var.app.least
      max_instance_count = var.app.most
    }

    vpc_access {
      egress = "ALL_TRAFFIC"

      network_interfaces {
        network    = var.network
        subnetwork = var.subnet
      }
    }

    containers {
      name    = "app"
      image   = var.image
      command = ["app", "serve"]

      ports {
        container_port = 8000
      }

      resources {
        limits = { cpu = "1", memory = "1Gi" }
        # Streams go on after a request's first bytes, and flags are read twice a second.
        cpu_idle = false
      }

      # Ready, not alive: a process that waits for a migration gets nobody.
      startup_probe {
        failure_threshold = 24
        period_seconds    = 5
        timeout_seconds   = 4

        http_get {
          path = "/health/ready"
        }
      }

      liveness_probe {
        period_seconds  = 10
        timeout_seconds = 5

        http_get {
          path = "/health/live"
        }
      }

      dynamic "env" {
        for_each = var.settings

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = var.secrets

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }
    }

    # Looks for viruses in uploads; it takes minutes to load its signatures, and until then none are
    # taken.
    dynamic "containers" {
      for_each = var.documents ? ["scanner"] : []

      content {
        name  = "scanner"
        image = "docker.io/clamav/clamav:1.4"

        resources {
          limits   = { cpu = "1", memory = "4Gi" }
          cpu_idle = false
        }
      }
    }
  }

  # Releases are made by scripts, and say who gets which.
  lifecycle {
    ignore_changes = [
      template[0].containers[0].image, template[0].revision, traffic, annotations, client, client_version,
    ]
  }
}

resource "google_cloud_run_v2_worker_pool" "worker" {
  name                = "${var.name}-worker"
  location            = var.region
  deletion_protection = var.production
  # Pools are this young in the provider of versions.tf.
  launch_stage = "BETA"

  scaling {
    scaling_mode          = "MANUAL"
    manual_instance_count = var.workers
  }

  template {
    service_account = var.account

    vpc_access {
      egress = "ALL_TRAFFIC"

      network_interfaces {
        network    = var.network
        subnetwork = var.subnet
      }
    }

    containers {
      name    = "app"
      image   = var.image
      command = ["app", "worker"]

      resources {
        limits = { cpu = "1", memory = "2Gi" }
      }

      dynamic "env" {
        for_each = var.settings

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = var.secrets

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [template[0].containers[0].image, client, client_version]
  }
}

# What faces the internet knows neither of these jobs' passwords.
resource "google_cloud_run_v2_job" "this" {
  for_each = var.jobs

  name                = "${var.name}-${each.key}"
  location            = var.region
  deletion_protection = false

  template {
    template {
      service_account = each.value.account
      max_retries     = 0
      timeout         = "3600s"

      vpc_access {
        egress = "ALL_TRAFFIC"

        network_interfaces {
          network    = var.network
          subnetwork = var.subnet
        }
      }

      containers {
        name    = "app"
        image   = var.image
        command = each.value.command

        resources {
          limits = { cpu = "1", memory = "512Mi" }
        }

        dynamic "env" {
          for_each = merge({ DATABASE_CA = var.settings.DATABASE_CA }, each.value.settings)

          content {
            name  = env.key
            value = env.value
          }
        }

        dynamic "env" {
          for_each = each.value.secrets

          content {
            name = env.key

            value_source {
              secret_key_ref {
                secret  = env.value
                version = "latest"
              }
            }
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [template[0].template[0].containers[0].image, client, client_version]
  }
}

# Nobody sees it from outside: mail waits, documents are not read. Google tells of none, or tells nothing.
locals {
  instances = "resource.type = \"cloud_run_worker_pool\" AND resource.labels.worker_pool_name = \"${google_cloud_run_v2_worker_pool.worker.name}\" AND metric.type = \"run.googleapis.com/container/instance_count\""
}

resource "google_monitoring_alert_policy" "no_worker" {
  display_name          = "${var.name}: no worker runs, jobs wait"
  combiner              = "OR"
  notification_channels = var.channels

  conditions {
    display_name = "None for five minutes"

    condition_threshold {
      filter          = local.instances
      comparison      = "COMPARISON_LT"
      threshold_value = 1
      duration        = "300s"

      # Of all revisions together.
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }

  conditions {
    display_name = "Nothing is told for five minutes"

    condition_absent {
      filter   = local.instances
      duration = "300s"

      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_SUM"
      }
    }
  }
}
