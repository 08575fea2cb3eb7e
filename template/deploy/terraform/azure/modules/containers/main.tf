# One image, four ways to start it: app, worker and the jobs `roles` and `migrate`.

resource "azurerm_container_app_environment" "this" {
  name                           = var.name
  location                       = var.region
  resource_group_name            = var.group
  log_analytics_workspace_id     = var.logs
  logs_destination               = "log-analytics"
  infrastructure_subnet_id       = var.subnet
  internal_load_balancer_enabled = true
  public_network_access          = "Disabled"
  zone_redundancy_enabled        = var.production

  workload_profile {
    name                  = "Consumption"
    workload_profile_type = "Consumption"
  }
}

resource "azurerm_container_app_environment_storage" "files" {
  count = var.documents ? 1 : 0

  name                         = "files"
  container_app_environment_id = azurerm_container_app_environment.this.id
  account_name                 = var.files.account
  share_name                   = var.files.share
  access_key                   = var.files.key
  access_mode                  = "ReadWrite"
}

locals {
  services = {
    app    = { command = "serve", least = var.app.least, most = var.app.most }
    worker = { command = "worker", least = var.worker.least, most = var.worker.most }
  }
}

resource "azurerm_container_app" "this" {
  for_each = local.services

  name                         = "${var.name}-${each.key}"
  resource_group_name          = var.group
  container_app_environment_id = azurerm_container_app_environment.this.id
  workload_profile_name        = "Consumption"
  revision_mode                = each.key == "app" && var.split ? "Multiple" : "Single"

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identities.app]
  }

  registry {
    server   = var.registry
    identity = var.identities.app
  }

  dynamic "secret" {
    for_each = var.secrets

    content {
      name                = lower(replace(secret.key, "_", "-"))
      key_vault_secret_id = secret.value
      identity            = var.identities.app
    }
  }

  # From within the network only; Front Door gets in by a private way.
  dynamic "ingress" {
    for_each = each.key == "app" ? [8000] : []

    content {
      external_enabled = true
      target_port      = ingress.value
      transport        = "http"

      traffic_weight {
        latest_revision = true
        percentage      = 100
      }
    }
  }

  template {
    min_replicas                     = each.value.least
    max_replicas                     = each.value.most
    termination_grace_period_seconds = 30

    container {
      name    = "app"
      image   = var.image
      command = ["app", each.value.command]
      cpu     = 1
      memory  = "2Gi"

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
          name        = env.key
          secret_name = lower(replace(env.key, "_", "-"))
        }
      }

      dynamic "volume_mounts" {
        for_each = var.documents ? ["files"] : []

        content {
          name = volume_mounts.value
          path = "/srv/files"
        }
      }

      # Ready, not alive: a process that waits for a migration gets nobody.
      dynamic "readiness_probe" {
        for_each = each.key == "app" ? ["/health/ready"] : []

        content {
          transport        = "HTTP"
          port             = 8000
          path             = readiness_probe.value
          interval_seconds = 10
          timeout          = 5
        }
      }

      dynamic "liveness_probe" {
        for_each = each.key == "app" ? ["/health/live"] : []

        content {
          transport        = "HTTP"
          port             = 8000
          path             = liveness_probe.value
          interval_seconds = 10
          timeout          = 5
        }
      }
    }

    # Looks for viruses in uploads; it takes minutes to load its signatures, and until then none are
    # taken.
    dynamic "container" {
      for_each = each.key == "app" && var.documents ? ["scanner"] : []

      content {
        name  = container.value
        image = "docker.io/clamav/clamav:1.4"
        # Azure takes two gigabytes for each processor, all containers together, and nothing else.
        cpu    = 2
        memory = "4Gi"
      }
    }

    # The files belong to the user that the image runs as.
    dynamic "volume" {
      for_each = var.documents ? ["files"] : []

      content {
        name          = volume.value
        storage_type  = "AzureFile"
        storage_name  = azurerm_container_app_environment_storage.files[0].name
        mount_options = "uid=10001,gid=10001,dir_mode=0700,file_mode=0600"
      }
    }

    dynamic "http_scale_rule" {
      for_each = each.key == "app" ? ["50"] : []

      content {
        name                = "requests"
        concurrent_requests = http_scale_rule.value
      }
    }

    dynamic "custom_scale_rule" {
      for_each = each.key == "worker" ? ["60"] : []

      content {
        name             = "processor"
        custom_rule_type = "cpu"
        metadata         = { type = "Utilization", value = custom_scale_rule.value }
      }
    }
  }

  # Releases are made by scripts, and say who gets which.
  lifecycle {
    ignore_changes = [
      template[0].container[0].image, template[0].revision_suffix, ingress[0].traffic_weight, tags,
    ]
  }
}

# What faces the internet knows neither of these jobs' passwords.
resource "azurerm_container_app_job" "this" {
  for_each = var.jobs

  name                         = "${var.name}-${each.key}"
  location                     = var.region
  resource_group_name          = var.group
  container_app_environment_id = azurerm_container_app_environment.this.id
  workload_profile_name        = "Consumption"
  replica_timeout_in_seconds   = 3600
  replica_retry_limit          = 0

  manual_trigger_config {
    parallelism              = 1
    replica_completion_count = 1
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identities[each.key]]
  }

  registry {
    server   = var.registry
    identity = var.identities[each.key]
  }

  dynamic "secret" {
    for_each = each.value.secrets

    content {
      name                = lower(replace(secret.key, "_", "-"))
      key_vault_secret_id = secret.value
      identity            = var.identities[each.key]
    }
  }

  template {
    container {
      name    = "app"
      image   = var.image
      command = each.value.command
      cpu     = 0.5
      memory  = "1Gi"

      dynamic "env" {
        for_each = each.value.settings

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = each.value.secrets

        content {
          name        = env.key
          secret_name = lower(replace(env.key, "_", "-"))
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [template[0].container[0].image]
  }
}

# Nobody sees it from outside: mail waits, documents are not read.
resource "azurerm_monitor_metric_alert" "no_worker" {
  name                = "${var.name}-no-worker"
  description         = "No worker runs: jobs wait"
  resource_group_name = var.group
  scopes              = [azurerm_container_app.this["worker"].id]
  window_size         = "PT5M"

  criteria {
    metric_namespace = "Microsoft.App/containerApps"
    metric_name      = "Replicas"
    aggregation      = "Maximum"
    operator         = "LessThan"
    threshold        = 1
  }

  action {
    action_group_id = var.alarms
  }
}
