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
  description = "The zone in Azure DNS that holds the domain, such as example.com."
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

variable "subscription" {
  description = "Its id; one for staging, another for production."
  type        = string
}

variable "dns_resource_group" {
  description = "The resource group of the DNS zone."
  type        = string
}

variable "registry" {
  description = "The registry that bootstrap made: its name, and the resource group that it is in."
  type        = object({ name = string, resource_group = string })
}

variable "model" {
  description = "The model of Azure OpenAI, where it is the provider, and thousands of tokens a minute."
  type        = object({ name = string, version = string, capacity = number })
  default     = { name = "gpt-4.1", version = "2025-04-14", capacity = 100 }
}

variable "ci_issuer" {
  description = "Who vouches for jobs of CI, with https://; empty: GitHub or gitlab.com, as answered."
  type        = string
  default     = ""
}

variable "ci_subject" {
  description = "The job that may release here, such as repo:acme/app:environment:production. Empty: none."
  type        = string
  default     = ""

  validation {
    condition     = !strcontains(var.ci_subject, "*")
    error_message = "Name the subject in full."
  }
}
