# Who hears of alarms, and what the month may cost.

resource "google_monitoring_notification_channel" "people" {
  display_name = var.name
  type         = "email"
  labels       = { email_address = var.email }
}

resource "google_monitoring_uptime_check_config" "app" {
  display_name = "${var.name}: ready"
  timeout      = "10s"
  period       = "60s"

  http_check {
    path         = "/health/ready"
    port         = 443
    use_ssl      = true
    validate_ssl = true
  }

  monitored_resource {
    type   = "uptime_url"
    labels = { project_id = var.project, host = var.domain }
  }
}

resource "google_monitoring_alert_policy" "away" {
  display_name          = "${var.name}: the app cannot be reached"
  combiner              = "OR"
  notification_channels = [google_monitoring_notification_channel.people.id]

  conditions {
    display_name = "Asked from several places, without an answer"

    condition_threshold {
      filter          = "resource.type = \"uptime_url\" AND metric.type = \"monitoring.googleapis.com/uptime_check/check_passed\" AND metric.labels.check_id = \"${google_monitoring_uptime_check_config.app.uptime_check_id}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 1
      duration        = "120s"

      aggregations {
        alignment_period     = "120s"
        per_series_aligner   = "ALIGN_NEXT_OLDER"
        cross_series_reducer = "REDUCE_COUNT_FALSE"
        group_by_fields      = ["resource.label.host"]
      }
    }
  }
}

resource "google_billing_budget" "month" {
  billing_account = var.billing_account
  display_name    = "${var.name}: month"

  budget_filter {
    projects = ["projects/${var.project}"]
  }

  amount {
    specified_amount {
      units = tostring(var.budget)
    }
  }

  threshold_rules {
    threshold_percent = 0.8
  }

  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = [google_monitoring_notification_channel.people.id]
    disable_default_iam_recipients   = true
  }
}
