# Sizes follow from the answers. Estimates: watch the alarms and change them here.

locals {
  production = var.environment == "production"
  # Some names may have 32 characters only, and the longest adds `-migrate`.
  name = "${trim(substr(var.slug, 0, 19), "-")}-${substr(var.environment, 0, 4)}"

  # An answer takes some 20 seconds; a process asks for 100 at once (LLM_CALLS_AT_ONCE) and is
  # full at 60. Staging proves that two work together, no more.
  answers_at_once = var.people_at_peak * var.calls_per_person_per_hour * 20 / 3600
  app_least       = local.production ? 2 : 1
  app_most        = local.production ? min(100, max(3, ceil(local.answers_at_once / 60))) : 2
  worker_least    = 1
  worker_most     = local.production ? min(50, max(2, ceil(local.app_most / 2))) : 2

  # From one address, which may be a whole office's: a person opens a page every few seconds at most.
  requests_a_minute = min(1000000, max(1200, var.people_at_peak * 30))

  # Beside its pool a process keeps some for limits (LIMITS_CONNECTIONS) and for listening.
  connections = (local.app_most + local.worker_most) * (var.database_pool_size + 6)

  # What each allows by default, a tenth less for the system.
  database_skus = [
    { sku = "B_Standard_B2s", connections = 380 },
    { sku = "GP_Standard_D2ds_v5", connections = 770 },
    { sku = "GP_Standard_D4ds_v5", connections = 1540 },
    { sku = "GP_Standard_D8ds_v5", connections = 3090 },
    { sku = "GP_Standard_D16ds_v5", connections = 4500 },
  ]
  # Production never runs on a machine that slows down once its credits are used up.
  database = [
    for one in local.database_skus : one
    if one.connections >= local.connections && !(local.production && startswith(one.sku, "B_"))
  ][0]
  database_gigabytes = local.production ? 64 : 32
  # Names of stores and vaults are the whole world's and have 24 characters.
  short = "${substr(replace(var.slug, "-", ""), 0, 12)}${substr(var.environment, 0, 4)}${random_string.unique.result}"
}

resource "random_string" "unique" {
  length  = 5
  upper   = false
  special = false
}
