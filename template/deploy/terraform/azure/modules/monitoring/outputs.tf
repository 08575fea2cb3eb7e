output "group" {
  value = azurerm_monitor_action_group.people.id
}
