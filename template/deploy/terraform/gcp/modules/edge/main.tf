# What the load balancer of either runtime needs: its address and name, TLS, and a firewall before it.

resource "google_compute_global_address" "this" {
  name = var.name
}

# Another domain is another certificate, which is there before the load balancer lets go of the old one.
resource "google_compute_managed_ssl_certificate" "this" {
  name = "${var.name}-${substr(sha1(var.domain), 0, 6)}"

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_ssl_policy" "this" {
  name            = var.name
  profile         = "RESTRICTED"
  min_tls_version = "TLS_1_2"
}

resource "google_dns_record_set" "app" {
  managed_zone = var.dns_zone
  name         = "${var.domain}."
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_global_address.this.address]
}

# Known scanners and broken requests stop here, and floods. Google's rules read bodies, too, so they look
# at requests that have none: people paste code and logs into questions. The app limits finer, by person
# and key.
resource "google_compute_security_policy" "this" {
  name = var.name

  rule {
    action   = "throttle"
    priority = 1000

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.requests_a_minute
        interval_sec = 60
      }
    }
  }

  dynamic "rule" {
    for_each = ["scannerdetection-v33-stable", "protocolattack-v33-stable", "cve-canary"]

    content {
      action   = "deny(403)"
      priority = 100 + rule.key

      match {
        expr {
          expression = "(request.method == 'GET' || request.method == 'HEAD') && evaluatePreconfiguredWaf('${rule.value}', {'sensitivity': 1})"
        }
      }
    }
  }

  rule {
    action   = "allow"
    priority = 2147483647

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}
