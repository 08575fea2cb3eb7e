environment           = "production"
subscription          = "00000000-0000-0000-0000-000000000000"
domain                = "app.example.com"
dns_zone              = "example.com"
dns_resource_group    = "write-the-group-here"
registry              = { name = "writetheregistryhere", resource_group = "write-the-group-here" }
alert_email           = "operations@example.com"
infrastructure_budget = 1500

# Settings of the app that are no secrets: docs/settings.md.
settings = {
  MAIL_HOST     = "smtp.azurecomm.net"
  MAIL_FROM     = "no-reply@example.com"
  MAIL_USERNAME = "write the SMTP user here"
}
secrets = ["MAIL_PASSWORD"]

# The job of CI that may release here, as docs/pipelines.md says; on GitLab: project_path:acme/app:ref_type:tag
ci_subject = "repo:write-owner/write-name:environment:production"
