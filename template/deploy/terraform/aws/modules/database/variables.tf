variable "name" {
  type = string
}

variable "class" {
  type = string
}

variable "most_connections" {
  description = "What this class allows."
  type        = number
}

variable "gigabytes" {
  type = number
}

variable "production" {
  type = bool
}

variable "vpc" {
  type = string
}

variable "subnets" {
  type = list(string)
}

variable "clients" {
  description = "Security groups that may connect."
  type        = list(string)
}

variable "key" {
  description = "Encrypts the disk, its backups and the administrator's password."
  type        = string
}

variable "alarm_topics" {
  type = list(string)
}
