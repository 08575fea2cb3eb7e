# Kubernetes on AKS: Azure runs the control plane, nodes stand in the private layer. What runs in it is
# cluster.sh's and the chart's.

resource "azurerm_kubernetes_cluster" "this" {
  name                = var.name
  location            = var.region
  resource_group_name = var.group
  node_resource_group = var.node_group
  dns_prefix          = var.name
  kubernetes_version  = "1.35" # kept until the spring of 2027; cluster.sh goes with it
  sku_tier            = var.production ? "Standard" : "Free"

  # Nobody from outside, unless addresses are named. Azure changes it for a new cluster only.
  private_cluster_enabled             = length(var.clients) == 0
  private_cluster_public_fqdn_enabled = false

  dynamic "api_server_access_profile" {
    for_each = length(var.clients) > 0 ? [concat(var.clients, ["${var.network.way_out}/32"])] : []

    content {
      authorized_ip_ranges = api_server_access_profile.value
    }
  }

  # People and CI are Entra's, and Kubernetes decides what they may do: no certificate opens everything,
  # and Azure's own roles may run no command in it.
  local_account_disabled            = true
  run_command_enabled               = false
  role_based_access_control_enabled = true

  azure_active_directory_role_based_access_control {
    tenant_id              = var.tenant
    admin_group_object_ids = var.administrators
  }

  # Pods have identities of their own.
  oidc_issuer_enabled       = true
  workload_identity_enabled = true

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.this["cluster"].id]
  }

  kubelet_identity {
    client_id                 = azurerm_user_assigned_identity.this["node"].client_id
    object_id                 = azurerm_user_assigned_identity.this["node"].principal_id
    user_assigned_identity_id = azurerm_user_assigned_identity.this["node"].id
  }

  # Cilium enforces the policies of the chart. Pods have addresses of their own, which the network around
  # does not see: it sees the node's.
  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
    outbound_type       = "userAssignedNATGateway"
    pod_cidr            = "192.168.0.0/16"
    service_cidr        = "172.20.0.0/16"
    dns_service_ip      = "172.20.0.10"
  }

  default_node_pool {
    name                        = "nodes"
    vm_size                     = var.machine
    vnet_subnet_id              = var.subnet
    zones                       = var.production ? ["1", "2", "3"] : null
    node_public_ip_enabled      = false
    auto_scaling_enabled        = true
    min_count                   = var.nodes.least
    max_count                   = var.nodes.most
    os_sku                      = "AzureLinux"
    os_disk_type                = "Ephemeral"
    os_disk_size_gb             = 48
    temporary_name_for_rotation = "rotation"

    upgrade_settings {
      max_surge = "33%"
    }
  }

  # Corrections come by themselves, at night; the next version of Kubernetes does not.
  automatic_upgrade_channel = "patch"
  node_os_upgrade_channel   = "NodeImage"

  maintenance_window_auto_upgrade {
    frequency   = "Weekly"
    interval    = 1
    day_of_week = "Sunday"
    start_time  = "01:00"
    utc_offset  = "+00:00"
    duration    = 4
  }

  maintenance_window_node_os {
    frequency   = "Weekly"
    interval    = 1
    day_of_week = "Saturday"
    start_time  = "01:00"
    utc_offset  = "+00:00"
    duration    = 4
  }

  oms_agent {
    log_analytics_workspace_id      = var.logs
    msi_auth_for_monitoring_enabled = true
  }

  # How many nodes there are is the autoscaler's from then on.
  lifecycle {
    ignore_changes = [default_node_pool[0].node_count]
  }

  depends_on = [azurerm_role_assignment.cluster, azurerm_role_assignment.images]
}

# Nobody deletes it by mistake: the lock goes first.
resource "azurerm_management_lock" "this" {
  count = var.production ? 1 : 0

  name       = "keep"
  scope      = azurerm_kubernetes_cluster.this.id
  lock_level = "CanNotDelete"
}

# Who asked and what was answered: needed after a break-in.
resource "azurerm_monitor_diagnostic_setting" "control_plane" {
  name                           = "control-plane"
  target_resource_id             = azurerm_kubernetes_cluster.this.id
  log_analytics_workspace_id     = var.logs
  log_analytics_destination_type = "Dedicated"

  dynamic "enabled_log" {
    for_each = toset(["kube-audit-admin", "guard", "kube-apiserver", "cluster-autoscaler"])

    content {
      category = enabled_log.value
    }
  }
}

# What processes write goes to the workspace, and so do events of the cluster.
resource "azurerm_monitor_data_collection_rule" "logs" {
  name                = "${var.name}-containers"
  location            = var.region
  resource_group_name = var.group

  destinations {
    log_analytics {
      name                  = "workspace"
      workspace_resource_id = var.logs
    }
  }

  data_flow {
    streams      = local.streams
    destinations = ["workspace"]
  }

  data_sources {
    extension {
      name           = "ContainerInsightsExtension"
      extension_name = "ContainerInsights"
      streams        = local.streams
      extension_json = jsonencode({
        dataCollectionSettings = { interval = "1m", namespaceFilteringMode = "Off", enableContainerLogV2 = true }
      })
    }
  }
}

locals {
  streams = ["Microsoft-ContainerLogV2", "Microsoft-KubeEvents", "Microsoft-KubePodInventory"]
}

resource "azurerm_monitor_data_collection_rule_association" "logs" {
  name                    = "ContainerInsightsExtension"
  target_resource_id      = azurerm_kubernetes_cluster.this.id
  data_collection_rule_id = azurerm_monitor_data_collection_rule.logs.id
}

resource "azurerm_monitor_metric_alert" "nodes" {
  for_each = {
    node_cpu_usage_percentage          = "The nodes' processors are busy"
    node_memory_working_set_percentage = "The nodes' memory is nearly full"
    node_disk_usage_percentage         = "A node's disk is nearly full"
  }

  name                = "${var.name}-${each.key}"
  description         = each.value
  resource_group_name = var.group
  scopes              = [azurerm_kubernetes_cluster.this.id]
  window_size         = "PT15M"

  criteria {
    metric_namespace = "Microsoft.ContainerService/managedClusters"
    metric_name      = each.key
    aggregation      = "Average"
    operator         = "GreaterThan"
    threshold        = 90
  }

  action {
    action_group_id = var.alarms
  }
}

# Nobody sees it from outside: mail waits, documents are not read. It is asked of the log, since a figure of
# pods that are not there is not there either, and an alarm about it would keep quiet.
resource "azurerm_monitor_scheduled_query_rules_alert_v2" "no_worker" {
  name                 = "${var.name}-no-worker"
  description          = "No worker runs: jobs wait"
  location             = var.region
  resource_group_name  = var.group
  scopes               = [var.logs]
  severity             = 1
  evaluation_frequency = "PT5M"
  window_duration      = "PT10M"

  criteria {
    query                   = <<-QUERY
      KubePodInventory
      | where Namespace == "${var.namespace}" and Name startswith "${var.worker}-"
      | where PodStatus == "Running" and ContainerStatus == "running"
    QUERY
    time_aggregation_method = "Count"
    operator                = "LessThan"
    threshold               = 1
  }

  action {
    action_groups = [var.alarms]
  }
}
