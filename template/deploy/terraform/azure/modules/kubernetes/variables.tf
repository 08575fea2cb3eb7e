variable "name" {
  type = string
}

variable "group" {
  type = string
}

variable "group_id" {
  type = string
}

variable "region" {
  type = string
}

variable "node_group" {
  description = "The resource group that Azure makes for machines."
  type        = string
}

variable "tenant" {
  type = string
}

variable "subnet" {
  description = "A private one: no node has a public address."
  type        = string
}

variable "network" {
  description = "The network, its addresses, and the one that it calls others from."
  type        = object({ name = string, addresses = string, way_out = string })
}

variable "clients" {
  description = "Addresses that may speak to Kubernetes' API; none: from within the network only."
  type        = list(string)
}

variable "administrators" {
  description = "Groups of people who may do everything in the cluster."
  type        = list(string)
}

variable "releases" {
  description = "Identities of CI that may release and nothing else."
  type        = list(string)
}

variable "registry" {
  type = string
}

variable "secrets" {
  description = "The identity that reads secrets for the app."
  type        = string
}

variable "machine" {
  description = "The size of a node."
  type        = string
}

variable "nodes" {
  type = object({ least = number, most = number })
}

variable "production" {
  type = bool
}

variable "logs" {
  type = string
}

variable "domain" {
  type = string
}

variable "dns_zone" {
  type = string
}

variable "dns_group" {
  type = string
}

variable "alarms" {
  type = string
}

variable "namespace" {
  description = "Where the chart is installed."
  type        = string
}

variable "worker" {
  description = "How the chart calls what does the jobs."
  type        = string
}
