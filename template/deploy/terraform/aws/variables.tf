# What differs between staging and production: environments/.

variable "environment" {
  description = "staging or production."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "environment is staging or production."
  }
}

variable "domain" {
  description = "Where people reach the app, such as app.example.com."
  type        = string
}

variable "dns_zone" {
  description = "The Route 53 zone that holds the domain, such as example.com."
  type        = string
}

variable "alert_email" {
  description = "Who hears of alarms and of the budget."
  type        = string
}

variable "infrastructure_budget" {
  description = "US dollars that everything beside the models may cost in a month."
  type        = number
}

variable "settings" {
  description = "Further settings of the app that are no secrets: docs/settings.md."
  type        = map(string)

  validation {
    condition     = alltrue([for name in ["MAIL_HOST", "MAIL_FROM"] : contains(keys(var.settings), name)])
    error_message = "settings must name MAIL_HOST and MAIL_FROM: production does not start without mail."
  }
}

variable "secrets" {
  description = "Names of further settings that are secrets, such as MAIL_PASSWORD."
  type        = set(string)
  default     = []
}

variable "network" {
  description = "The addresses of the network; a /16 that no network you connect to uses."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.network, 0)) && endswith(var.network, "/16")
    error_message = "network is a /16, such as 10.20.0.0/16."
  }
}
