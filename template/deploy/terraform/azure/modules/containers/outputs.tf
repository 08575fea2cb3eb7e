output "environment" {
  value = azurerm_container_app_environment.this.id
}

output "host" {
  value = azurerm_container_app.this["app"].ingress[0].fqdn
}

output "released" {
  description = "What a release changes."
  value = concat(
    [for one in azurerm_container_app.this : one.id],
    [azurerm_container_app_job.this["migrate"].id],
  )
}
