environment           = "production"
domain                = "app.example.com"
dns_zone              = "example.com"
alert_email           = "operations@example.com"
infrastructure_budget = 1000

# Settings of the app that are no secrets: docs/settings.md.
settings = {
  MAIL_HOST     = "email-smtp.eu-central-1.amazonaws.com"
  MAIL_FROM     = "no-reply@example.com"
  MAIL_USERNAME = "write the SMTP user here"
}
secrets = ["MAIL_PASSWORD"]

# Jobs of CI that may release here, as docs/pipelines.md says; on GitLab: project_path:acme/app:ref_type:tag
ci_subjects = ["repo:write-owner/write-name:environment:production"]
