# Kubernetes on GKE Autopilot: Google runs the control plane and the nodes, which have no public address.
# Dataplane V2, which enforces the chart's policies, and identities of pods cannot be switched off there.

data "google_project" "here" {
  project_id = var.project
}

resource "google_container_cluster" "this" {
  name                = var.name
  location            = var.region # its control plane stands in three zones
  network             = var.network
  subnetwork          = var.subnet
  enable_autopilot    = true
  deletion_protection = var.production

  ip_allocation_policy {
    cluster_secondary_range_name  = "pods"
    services_secondary_range_name = "services"
  }

  private_cluster_config {
    enable_private_nodes = true
    # Nobody from outside, unless addresses are named.
    enable_private_endpoint = length(var.clients) == 0
  }

  master_authorized_networks_config {
    gcp_public_cidrs_access_enabled = false

    cidr_blocks {
      cidr_block = var.block
    }

    dynamic "cidr_blocks" {
      for_each = var.clients

      content {
        cidr_block = cidr_blocks.value
      }
    }
  }

  # People and CI are who Google says they are; nobody has a certificate that outlives their rights.
  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  # Kubernetes' own copies of secrets, once more and with our key.
  database_encryption {
    state    = "ENCRYPTED"
    key_name = google_kms_crypto_key.this.id
  }

  # The account of machines is one of ours that may do little.
  cluster_autoscaling {
    auto_provisioning_defaults {
      service_account = google_service_account.node.email
      oauth_scopes    = ["https://www.googleapis.com/auth/cloud-platform"]
    }
  }

  # Google raises versions by itself, in these hours.
  release_channel {
    channel = "REGULAR"
  }

  maintenance_policy {
    daily_maintenance_window {
      start_time = "02:00"
    }
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  # Tells of pods that may more than they should.
  security_posture_config {
    mode = "BASIC"
  }

  depends_on = [
    google_compute_firewall.inside,
    google_kms_crypto_key_iam_member.gke,
    google_project_iam_member.node,
    google_artifact_registry_repository_iam_member.images,
  ]
}

# Between nodes, pods and the control plane, which the network otherwise refuses; among pods the chart's
# policies decide. It stands before the first node does, which could not join without it.
resource "google_compute_firewall" "inside" {
  name      = "${var.name}-inside"
  network   = var.network
  direction = "EGRESS"
  priority  = 1000

  destination_ranges = var.ranges

  allow {
    protocol = "all"
  }
}

resource "google_kms_key_ring" "this" {
  name     = var.name
  location = var.region
}

resource "google_kms_crypto_key" "this" {
  name            = "kubernetes-secrets"
  key_ring        = google_kms_key_ring.this.id
  rotation_period = "7776000s"

  # Without it nothing in the cluster can be read again.
  lifecycle {
    prevent_destroy = true
  }
}

resource "google_kms_crypto_key_iam_member" "gke" {
  crypto_key_id = google_kms_crypto_key.this.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = "serviceAccount:service-${data.google_project.here.number}@container-engine-robot.iam.gserviceaccount.com"
}

resource "google_monitoring_alert_policy" "restarts" {
  display_name          = "${var.name}: processes start again and again"
  combiner              = "OR"
  notification_channels = var.channels

  conditions {
    display_name = "More than three times in ten minutes"

    condition_threshold {
      filter          = "resource.type = \"k8s_container\" AND resource.labels.cluster_name = \"${var.name}\" AND resource.labels.namespace_name = \"${var.namespace}\" AND metric.type = \"kubernetes.io/container/restart_count\""
      comparison      = "COMPARISON_GT"
      threshold_value = 3
      duration        = "0s"

      aggregations {
        alignment_period   = "600s"
        per_series_aligner = "ALIGN_DELTA"
      }
    }
  }
}

# Nobody sees it from outside: mail waits, documents are not read.
resource "google_monitoring_alert_policy" "no_worker" {
  display_name          = "${var.name}: no worker runs, jobs wait"
  combiner              = "OR"
  notification_channels = var.channels

  conditions {
    display_name = "Five minutes long"

    condition_absent {
      filter   = "resource.type = \"k8s_container\" AND resource.labels.cluster_name = \"${var.name}\" AND resource.labels.namespace_name = \"${var.namespace}\" AND resource.labels.container_name = \"worker\" AND metric.type = \"kubernetes.io/container/uptime\""
      duration = "300s"

      # All of them together: each that goes in a release would be missed by itself.
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }
}
