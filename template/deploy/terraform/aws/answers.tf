# What was answered when the project was generated: ../answers.tfvars.

variable "slug" {
  description = "The project's name for machines."
  type        = string
}

variable "region" {
  description = "Where everything runs."
  type        = string
}

variable "data_location" {
  description = "Where data may live: anywhere, eu or us."
  type        = string

  validation {
    condition     = contains(["anywhere", "eu", "us"], var.data_location)
    error_message = "data_location is anywhere, eu or us."
  }
}

variable "llm_provider" {
  description = "A file in app/llm/providers."
  type        = string
}

variable "llm_fallback" {
  description = "Who answers when that provider does not, or none."
  type        = string
}

variable "documents" {
  description = "Whether people upload files."
  type        = bool
}

variable "people_at_peak" {
  description = "People at work at the busiest moment."
  type        = number
}

variable "calls_per_person_per_hour" {
  description = "Model calls that one person may make in an hour."
  type        = number
}

variable "database_pool_size" {
  description = "Database connections that one process keeps."
  type        = number
}

variable "monthly_budget" {
  description = "US dollars that models may cost in a month."
  type        = number
}

variable "ci" {
  description = "What runs the checks: github, gitlab or jenkins."
  type        = string
}

variable "release_strategy" {
  description = "How a new version replaces the old one: rolling, blue_green or canary."
  type        = string
}
