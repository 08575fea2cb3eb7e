variable "name" {
  type = string
}

variable "namespace" {
  description = "Where the app runs; its service account is called like the project."
  type        = string
}

variable "service_account" {
  type = string
}

variable "subnets" {
  description = "Private ones: no node has a public address."
  type        = list(string)
}

variable "load_balancer" {
  description = "Its security group."
  type        = string
}

variable "clients" {
  description = "Addresses beside the network that may speak to Kubernetes' API."
  type        = list(string)
}

variable "administrators" {
  description = "ARNs of roles of people who may do everything in the cluster."
  type        = list(string)
}

variable "releases" {
  description = "ARNs of roles of CI that may release and nothing else."
  type        = list(string)
}

variable "machine" {
  description = "The type of a node."
  type        = string
}

variable "nodes" {
  type = object({ least = number, most = number })
}

variable "production" {
  type = bool
}

variable "key" {
  description = "Encrypts Kubernetes' own copies of secrets."
  type        = string
}

variable "secrets" {
  description = "ARNs of what External Secrets may read."
  type        = list(string)
}

variable "rights" {
  description = "Policies: what the running app may do in this account."
  type        = list(string)
}

variable "alarm_topics" {
  type = list(string)
}
