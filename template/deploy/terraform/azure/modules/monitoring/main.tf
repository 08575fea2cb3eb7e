# Who hears of alarms, and what the month may cost.

resource "azurerm_monitor_action_group" "people" {
  name                = var.name
  resource_group_name = var.group
  short_name          = "alarms"

  email_receiver {
    name          = "people"
    email_address = var.email
  }
}

resource "azurerm_consumption_budget_subscription" "month" {
  name            = "${var.name}-month"
  subscription_id = "/subscriptions/${var.subscription}"
  amount          = var.budget
  time_grain      = "Monthly"

  # Machines of a cluster stand in a group of their own.
  filter {
    dimension {
      name   = "ResourceGroupName"
      values = var.groups
    }
  }

  time_period {
    start_date = formatdate("YYYY-MM-01'T'00:00:00Z", timestamp())
  }

  dynamic "notification" {
    for_each = { Actual = 80, Forecasted = 100 }

    content {
      threshold_type = notification.key
      threshold      = notification.value
      operator       = "GreaterThan"
      contact_emails = [var.email]
    }
  }

  # Azure takes no month that is over, so it counts from the one in which it is made.
  lifecycle {
    ignore_changes = [time_period]
  }
}
