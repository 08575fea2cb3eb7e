# Who may do what: in the subscription by roles, in the cluster by groups of Entra and by deploy/cluster.
# No key is stored anywhere.

resource "azurerm_user_assigned_identity" "this" {
  for_each = toset(["cluster", "node", "gateway"])

  name                = "${var.name}-${each.key}"
  location            = var.region
  resource_group_name = var.group
}

# Azure's control plane puts nodes into the subnet, and gives them their identity.
resource "azurerm_role_assignment" "cluster" {
  for_each = {
    "Network Contributor"       = var.subnet
    "Managed Identity Operator" = azurerm_user_assigned_identity.this["node"].id
  }

  scope                = each.value
  role_definition_name = each.key
  principal_id         = azurerm_user_assigned_identity.this["cluster"].principal_id
}

resource "azurerm_role_assignment" "images" {
  scope                = var.registry
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.this["node"].principal_id
}

# What runs in pods and proves itself by the cluster's word: who reads secrets for the app, and who tells
# the gateway where requests go. The app itself needs nothing of Azure that takes no key.
resource "azurerm_federated_identity_credential" "pod" {
  for_each = {
    secrets = { identity = var.secrets, subject = "external-secrets:external-secrets" }
    gateway = {
      identity = azurerm_user_assigned_identity.this["gateway"].id
      subject  = "azure-alb-system:alb-controller-sa"
    }
  }

  name                = "pod"
  resource_group_name = var.group
  parent_id           = each.value.identity
  issuer              = azurerm_kubernetes_cluster.this.oidc_issuer_url
  subject             = "system:serviceaccount:${each.value.subject}"
  audience            = ["api://AzureADTokenExchange"]
}

# CI may fetch where the cluster is. What it may do there says deploy/cluster.
resource "azurerm_role_assignment" "release" {
  count = length(var.releases)

  scope                = azurerm_kubernetes_cluster.this.id
  role_definition_name = "Azure Kubernetes Service Cluster User Role"
  principal_id         = var.releases[count.index]
}

# The controller of the gateway: its configuration, its subnet, its firewall, and where the nodes are.
resource "azurerm_role_assignment" "gateway" {
  for_each = {
    configuration = { role = "AppGw for Containers Configuration Manager", scope = var.group_id }
    subnet        = { role = "Network Contributor", scope = azurerm_subnet.gateway.id }
    firewall      = { role = "Network Contributor", scope = azurerm_web_application_firewall_policy.this.id }
    nodes         = { role = "Reader", scope = azurerm_kubernetes_cluster.this.node_resource_group_id }
  }

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.this["gateway"].principal_id
}
