# One private network: a subnet for what runs the app, one for the database, one for private endpoints.

resource "azurerm_virtual_network" "this" {
  name                = var.name
  location            = var.region
  resource_group_name = var.group
  address_space       = [var.network]
}

resource "azurerm_subnet" "containers" {
  name                            = "containers"
  resource_group_name             = var.group
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [cidrsubnet(var.network, 5, 0)]
  default_outbound_access_enabled = false

  dynamic "delegation" {
    for_each = var.delegation[*]

    content {
      name = "containers"

      service_delegation {
        name    = delegation.value
        actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
      }
    }
  }
}

resource "azurerm_subnet" "database" {
  name                            = "database"
  resource_group_name             = var.group
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [cidrsubnet(var.network, 8, 16)]
  default_outbound_access_enabled = false

  delegation {
    name = "database"

    service_delegation {
      name    = "Microsoft.DBforPostgreSQL/flexibleServers"
      actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    }
  }
}

resource "azurerm_subnet" "private" {
  name                            = "private"
  resource_group_name             = var.group
  virtual_network_name            = azurerm_virtual_network.this.name
  address_prefixes                = [cidrsubnet(var.network, 8, 17)]
  default_outbound_access_enabled = false
}

# Only the containers reach the database; nothing from outside the network reaches it.
resource "azurerm_network_security_group" "database" {
  name                = "${var.name}-database"
  location            = var.region
  resource_group_name = var.group

  security_rule {
    name                       = "containers"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefixes    = azurerm_subnet.containers.address_prefixes
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "5432"
  }

  # The database's second half and its keeper.
  security_rule {
    name                       = "itself"
    priority                   = 110
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefixes    = azurerm_subnet.database.address_prefixes
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_ranges    = ["5432", "6432"]
  }

  security_rule {
    name                       = "nobody-else"
    priority                   = 4000
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "database" {
  subnet_id                 = azurerm_subnet.database.id
  network_security_group_id = azurerm_network_security_group.database.id
}

# The way out, for models, mail and images.
resource "azurerm_public_ip" "way_out" {
  name                = "${var.name}-way-out"
  location            = var.region
  resource_group_name = var.group
  allocation_method   = "Static"
  sku                 = "Standard"
}

resource "azurerm_nat_gateway" "this" {
  name                = var.name
  location            = var.region
  resource_group_name = var.group
  sku_name            = "Standard"
}

resource "azurerm_nat_gateway_public_ip_association" "this" {
  nat_gateway_id       = azurerm_nat_gateway.this.id
  public_ip_address_id = azurerm_public_ip.way_out.id
}

resource "azurerm_subnet_nat_gateway_association" "containers" {
  subnet_id      = azurerm_subnet.containers.id
  nat_gateway_id = azurerm_nat_gateway.this.id
}

# Names of what is reached privately.
resource "azurerm_private_dns_zone" "this" {
  for_each = toset(var.zones)

  name                = each.key
  resource_group_name = var.group
}

resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  for_each = azurerm_private_dns_zone.this

  name                  = "here"
  resource_group_name   = var.group
  private_dns_zone_name = each.value.name
  virtual_network_id    = azurerm_virtual_network.this.id
}
