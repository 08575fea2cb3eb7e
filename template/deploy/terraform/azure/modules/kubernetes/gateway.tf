# What the internet reaches: Application Gateway for Containers, in this region, which speaks TLS and has a
# firewall. Where it sends requests is told by the gateway in deploy/cluster and the chart's route.

resource "azurerm_subnet" "gateway" {
  name                            = "gateway"
  resource_group_name             = var.group
  virtual_network_name            = var.network.name
  address_prefixes                = [cidrsubnet(var.network.addresses, 8, 18)] # exactly a /24
  default_outbound_access_enabled = false

  delegation {
    name = "gateway"

    service_delegation {
      name    = "Microsoft.ServiceNetworking/trafficControllers"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_application_load_balancer" "this" {
  name                = var.name
  location            = var.region
  resource_group_name = var.group
}

resource "azurerm_application_load_balancer_subnet_association" "this" {
  name                         = "network"
  application_load_balancer_id = azurerm_application_load_balancer.this.id
  subnet_id                    = azurerm_subnet.gateway.id
}

resource "azurerm_application_load_balancer_frontend" "this" {
  name                         = "app"
  application_load_balancer_id = azurerm_application_load_balancer.this.id
}

# Known attacks stop here. Bodies are left alone: people paste code and HTML into questions. It knows no
# limit of requests; the app limits by address, person and key.
resource "azurerm_web_application_firewall_policy" "this" {
  name                = var.name
  location            = var.region
  resource_group_name = var.group

  policy_settings {
    enabled            = true
    mode               = "Prevention"
    request_body_check = false
  }

  managed_rules {
    managed_rule_set {
      type    = "Microsoft_DefaultRuleSet"
      version = "2.1"
    }

    managed_rule_set {
      type    = "Microsoft_BotManagerRuleSet"
      version = "1.1"
    }
  }
}

resource "azurerm_application_load_balancer_security_policy" "this" {
  name                               = "firewall"
  location                           = var.region
  application_load_balancer_id       = azurerm_application_load_balancer.this.id
  web_application_firewall_policy_id = azurerm_web_application_firewall_policy.this.id
}

resource "azurerm_dns_cname_record" "app" {
  name                = trimsuffix(var.domain, ".${var.dns_zone}")
  zone_name           = var.dns_zone
  resource_group_name = var.dns_group
  ttl                 = 300
  record              = azurerm_application_load_balancer_frontend.this.fully_qualified_domain_name
}

resource "azurerm_monitor_metric_alert" "errors" {
  name                = "${var.name}-errors"
  description         = "Requests fail: more than 25 in five minutes"
  resource_group_name = var.group
  scopes              = [azurerm_application_load_balancer.this.id]
  window_size         = "PT5M"

  criteria {
    metric_namespace = "Microsoft.ServiceNetworking/trafficControllers"
    metric_name      = "HTTPResponseStatus"
    aggregation      = "Total"
    operator         = "GreaterThan"
    threshold        = 25

    dimension {
      name     = "HttpResponseCode"
      operator = "StartsWith"
      values   = ["5"]
    }
  }

  action {
    action_group_id = var.alarms
  }
}

resource "azurerm_monitor_metric_alert" "nobody" {
  name                = "${var.name}-nobody-ready"
  description         = "No process of the app is ready"
  resource_group_name = var.group
  scopes              = [azurerm_application_load_balancer.this.id]
  window_size         = "PT5M"

  criteria {
    metric_namespace = "Microsoft.ServiceNetworking/trafficControllers"
    metric_name      = "BackendHealthyTargets"
    aggregation      = "Average"
    operator         = "LessThan"
    threshold        = 1
  }

  action {
    action_group_id = var.alarms
  }
}
