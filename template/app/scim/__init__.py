"""SCIM 2.0: a directory, such as Entra or Okta, says who belongs to an organisation."""
