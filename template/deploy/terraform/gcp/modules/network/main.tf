# One private network. Nobody outside reaches it; Google's own services, models among them, are
# reached at an address inside it.

resource "google_compute_network" "this" {
  name                    = var.name
  auto_create_subnetworks = false
}

resource "google_compute_subnetwork" "app" {
  name                     = "${var.name}-app"
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = cidrsubnet(var.network, 2, 0)
  private_ip_google_access = true

  dynamic "secondary_ip_range" {
    for_each = var.secondary_ranges

    content {
      range_name    = secondary_ip_range.key
      ip_cidr_range = secondary_ip_range.value
    }
  }

  # Who talked to whom: needed after a break-in.
  log_config {
    aggregation_interval = "INTERVAL_5_SEC"
    flow_sampling        = 0.5
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

resource "google_compute_router" "this" {
  name    = var.name
  region  = var.region
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "this" {
  name                               = var.name
  region                             = var.region
  router                             = google_compute_router.this.name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# Out: HTTPS, mail, the database. Add the port of a model server of yours. Nothing comes in.
resource "google_compute_firewall" "out" {
  name      = "${var.name}-out"
  network   = google_compute_network.this.id
  direction = "EGRESS"
  priority  = 1000

  destination_ranges = ["0.0.0.0/0"]

  allow {
    protocol = "tcp"
    ports    = ["443", "465", "587", "5432"]
  }
}

resource "google_compute_firewall" "nothing_else" {
  name      = "${var.name}-nothing-else"
  network   = google_compute_network.this.id
  direction = "EGRESS"
  priority  = 65000

  destination_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

# Private Service Connect: all of Google's interfaces at one address of ours.
resource "google_compute_global_address" "google" {
  name         = "${var.name}-google"
  address_type = "INTERNAL"
  purpose      = "PRIVATE_SERVICE_CONNECT"
  network      = google_compute_network.this.id
  address      = cidrhost(cidrsubnet(var.network, 2, 3), 10)
}

resource "google_compute_global_forwarding_rule" "google" {
  # No dashes, twenty characters at most.
  name                  = substr(replace("${var.name}google", "-", ""), 0, 20)
  target                = "all-apis"
  network               = google_compute_network.this.id
  ip_address            = google_compute_global_address.google.id
  load_balancing_scheme = ""
}

resource "google_dns_managed_zone" "google" {
  name       = "${var.name}-google"
  dns_name   = "googleapis.com."
  visibility = "private"

  private_visibility_config {
    networks {
      network_url = google_compute_network.this.id
    }
  }
}

resource "google_dns_record_set" "google" {
  for_each = {
    "googleapis.com."   = { type = "A", data = google_compute_global_address.google.address }
    "*.googleapis.com." = { type = "CNAME", data = "googleapis.com." }
  }

  managed_zone = google_dns_managed_zone.google.name
  name         = each.key
  type         = each.value.type
  ttl          = 300
  rrdatas      = [each.value.data]
}
