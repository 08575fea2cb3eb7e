variable "name" {
  type = string
}

variable "region" {
  type = string
}

variable "service" {
  type = string
}

variable "workers" {
  type = string
}

variable "migrate" {
  type = string
}

variable "principals" {
  description = "Exactly these jobs."
  type        = set(string)
}

variable "accounts" {
  description = "What the app and its migrations run as."
  type        = list(string)
}

variable "repository" {
  description = "Where bootstrap said that images go."
  type        = string
}
