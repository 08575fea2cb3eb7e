# What the internet reaches: Front Door, which speaks TLS and has a firewall. It gets to the containers by
# a private way, which must be approved once: README.md.

resource "azurerm_cdn_frontdoor_profile" "this" {
  name                     = var.name
  resource_group_name      = var.group
  sku_name                 = "Premium_AzureFrontDoor"
  response_timeout_seconds = 180
}

resource "azurerm_cdn_frontdoor_endpoint" "this" {
  name                     = var.name
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
}

resource "azurerm_cdn_frontdoor_origin_group" "app" {
  name                     = "app"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  session_affinity_enabled = false

  load_balancing {}

  health_probe {
    path                = "/health/live"
    protocol            = "Https"
    request_type        = "GET" # the app answers no HEAD there
    interval_in_seconds = 60
  }
}

resource "azurerm_cdn_frontdoor_origin" "app" {
  name                           = "app"
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.app.id
  enabled                        = true
  host_name                      = var.host
  origin_host_header             = var.host
  certificate_name_check_enabled = true

  private_link {
    request_message        = var.name
    location               = var.region
    private_link_target_id = var.environment
    target_type            = "managedEnvironments"
  }
}

data "azurerm_dns_zone" "this" {
  name                = var.dns_zone
  resource_group_name = var.dns_group
}

resource "azurerm_cdn_frontdoor_custom_domain" "app" {
  name                     = replace(var.domain, ".", "-")
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id
  dns_zone_id              = data.azurerm_dns_zone.this.id
  host_name                = var.domain

  tls {
    certificate_type    = "ManagedCertificate"
    minimum_tls_version = "TLS12"
  }
}

locals {
  label = trimsuffix(var.domain, ".${var.dns_zone}")
}

resource "azurerm_dns_txt_record" "proof" {
  name                = "_dnsauth.${local.label}"
  zone_name           = var.dns_zone
  resource_group_name = var.dns_group
  ttl                 = 300

  record {
    value = azurerm_cdn_frontdoor_custom_domain.app.validation_token
  }
}

resource "azurerm_dns_cname_record" "app" {
  name                = local.label
  zone_name           = var.dns_zone
  resource_group_name = var.dns_group
  ttl                 = 300
  record              = azurerm_cdn_frontdoor_endpoint.this.host_name
}

resource "azurerm_cdn_frontdoor_route" "app" {
  name                            = "app"
  cdn_frontdoor_endpoint_id       = azurerm_cdn_frontdoor_endpoint.this.id
  cdn_frontdoor_origin_group_id   = azurerm_cdn_frontdoor_origin_group.app.id
  cdn_frontdoor_origin_ids        = [azurerm_cdn_frontdoor_origin.app.id]
  cdn_frontdoor_custom_domain_ids = [azurerm_cdn_frontdoor_custom_domain.app.id]
  patterns_to_match               = ["/*"]
  supported_protocols             = ["Http", "Https"]
  https_redirect_enabled          = true
  forwarding_protocol             = "HttpsOnly"
  link_to_default_domain          = false
}

# Known attacks and floods stop here. Bodies are left alone: people paste code and HTML into questions.
# The app limits finer, by person and key.
resource "azurerm_cdn_frontdoor_firewall_policy" "this" {
  name                       = replace(var.name, "-", "")
  resource_group_name        = var.group
  sku_name                   = azurerm_cdn_frontdoor_profile.this.sku_name
  mode                       = "Prevention"
  request_body_check_enabled = false

  custom_rule {
    name                           = "flood"
    type                           = "RateLimitRule"
    action                         = "Block"
    priority                       = 1
    rate_limit_duration_in_minutes = 1
    rate_limit_threshold           = var.requests_a_minute

    match_condition {
      match_variable = "SocketAddr"
      operator       = "IPMatch"
      match_values   = ["0.0.0.0/0", "::/0"]
    }
  }

  managed_rule {
    type    = "Microsoft_DefaultRuleSet"
    version = "2.1"
    action  = "Block"
  }

  managed_rule {
    type    = "Microsoft_BotManagerRuleSet"
    version = "1.1"
    action  = "Block"
  }
}

resource "azurerm_cdn_frontdoor_security_policy" "this" {
  name                     = "firewall"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.this.id

  security_policies {
    firewall {
      cdn_frontdoor_firewall_policy_id = azurerm_cdn_frontdoor_firewall_policy.this.id

      association {
        patterns_to_match = ["/*"]

        domain {
          cdn_frontdoor_domain_id = azurerm_cdn_frontdoor_custom_domain.app.id
        }
      }
    }
  }
}

resource "azurerm_monitor_metric_alert" "errors" {
  name                = "${var.name}-errors"
  description         = "More than 5 % of requests fail"
  resource_group_name = var.group
  scopes              = [azurerm_cdn_frontdoor_profile.this.id]
  window_size         = "PT5M"

  criteria {
    metric_namespace = "Microsoft.Cdn/profiles"
    metric_name      = "Percentage5XX"
    aggregation      = "Average"
    operator         = "GreaterThan"
    threshold        = 5
  }

  action {
    action_group_id = var.alarms
  }
}

# Also at night, when nobody asks: Front Door itself does.
resource "azurerm_monitor_metric_alert" "nobody" {
  name                = "${var.name}-nobody-ready"
  description         = "Front Door reaches no process of the app"
  resource_group_name = var.group
  scopes              = [azurerm_cdn_frontdoor_profile.this.id]
  window_size         = "PT5M"

  criteria {
    metric_namespace = "Microsoft.Cdn/profiles"
    metric_name      = "OriginHealthPercentage"
    aggregation      = "Average"
    operator         = "LessThan"
    threshold        = 50
  }

  action {
    action_group_id = var.alarms
  }
}
