variable "name" {
  type = string
}

variable "image" {
  type = string
}

variable "documents" {
  type = bool
}

variable "vpc" {
  type = string
}

variable "subnets" {
  type = list(string)
}

variable "load_balancer" {
  description = "Its security group."
  type        = string
}

variable "target_groups" {
  description = "By the name of the service that stands behind each."
  type        = map(string)
}

variable "shares" {
  description = "The load balancer's rule that shares requests between two services, or empty."
  type        = string
}

variable "settings" {
  description = "Settings of the app that are no secrets."
  type        = map(string)
}

variable "secrets" {
  description = "Settings of the app that are: the ARN of each."
  type        = map(string)
}

variable "role_passwords" {
  description = "The ARN of the password of each role that logs in."
  type        = map(string)
}

variable "database" {
  type = object({
    admin_secret = string
    admin_url    = string
    owner_url    = string
  })
}

variable "rights" {
  description = "Policies: what the running app may do in this account."
  type        = list(string)
}

variable "key" {
  description = "Decrypts the secrets."
  type        = string
}

variable "app" {
  type = object({ least = number, most = number })
}

variable "worker" {
  type = object({ least = number, most = number })
}

variable "alarm_topics" {
  type = list(string)
}
