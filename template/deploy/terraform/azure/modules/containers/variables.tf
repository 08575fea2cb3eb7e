variable "name" {
  type = string
}

variable "group" {
  type = string
}

variable "region" {
  type = string
}

variable "image" {
  type = string
}

variable "registry" {
  type = string
}

variable "subnet" {
  type = string
}

variable "logs" {
  type = string
}

variable "documents" {
  type = bool
}

variable "production" {
  type = bool
}

variable "split" {
  description = "Whether a release shares requests between two versions."
  type        = bool
}

variable "files" {
  description = "The share that every process sees."
  type        = object({ account = string, share = string, key = string })
}

variable "identities" {
  description = "What app, roles and migrate run as."
  type        = map(string)
}

variable "settings" {
  description = "Settings of the app that are no secrets."
  type        = map(string)
}

variable "secrets" {
  description = "Settings of the app that are: the address of each in the vault."
  type        = map(string)
}

variable "app" {
  type = object({ least = number, most = number })
}

variable "worker" {
  type = object({ least = number, most = number })
}

variable "jobs" {
  type = map(object({
    command  = list(string)
    settings = map(string)
    secrets  = map(string)
  }))
}

variable "alarms" {
  description = "The group that hears of alarms."
  type        = string
}
