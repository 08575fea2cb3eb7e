variable "name" {
  type = string
}

variable "region" {
  type = string
}

variable "image" {
  type = string
}

variable "network" {
  type = string
}

variable "subnet" {
  type = string
}

variable "account" {
  type = string
}

variable "documents" {
  type = bool
}

variable "production" {
  type = bool
}

variable "settings" {
  description = "Settings of the app that are no secrets."
  type        = map(string)
}

variable "secrets" {
  description = "Settings of the app that are: the secret that holds each."
  type        = map(string)
}

variable "app" {
  type = object({ least = number, most = number })
}

variable "workers" {
  type = number
}

variable "jobs" {
  type = map(object({
    command  = list(string)
    account  = string
    settings = map(string)
    secrets  = map(string)
  }))
}

variable "edge" {
  description = "Address, certificate, policy of TLS and firewall of the load balancer."
  type        = map(string)
}

variable "releases" {
  description = "Accounts of CI that may release and nothing else."
  type        = list(string)
}

variable "accounts" {
  description = "What the app and its migrations run as."
  type        = list(string)
}

variable "channels" {
  description = "Who hears of alarms."
  type        = list(string)
}
