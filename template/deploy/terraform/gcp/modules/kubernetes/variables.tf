variable "name" {
  type = string
}

variable "project" {
  type = string
}

variable "region" {
  type = string
}

variable "namespace" {
  description = "Where the app runs; its service account is called like the project."
  type        = string
}

variable "service_account" {
  type = string
}

variable "network" {
  type = string
}

variable "subnet" {
  type = string
}

variable "block" {
  description = "All of the network: what may speak to Kubernetes' API from within."
  type        = string
}

variable "ranges" {
  description = "Of machines, pods and Services."
  type        = list(string)
}

variable "clients" {
  description = "Addresses beside the network that may speak to Kubernetes' API."
  type        = list(string)
}

variable "repository" {
  description = "Where bootstrap said that images go."
  type        = string
}

variable "account" {
  description = "What the app is in Google Cloud."
  type        = string
}

variable "secrets" {
  description = "What External Secrets may read: ids by name."
  type        = map(string)
}

variable "releases" {
  description = "Accounts of CI that may release and nothing else."
  type        = list(string)
}

variable "production" {
  type = bool
}

variable "channels" {
  description = "Who hears of alarms."
  type        = list(string)
}
