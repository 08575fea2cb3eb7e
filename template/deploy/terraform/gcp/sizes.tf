# Sizes follow from the answers. Estimates: watch the alarms and change them here.

locals {
  production = var.environment == "production"
  # Some names may have 30 characters only.
  name = "${trim(substr(var.slug, 0, 20), "-")}-${substr(var.environment, 0, 4)}"

  # An answer takes some 20 seconds; a process asks for 100 at once (LLM_CALLS_AT_ONCE) and is
  # full at 60. Staging proves that two work together, no more.
  answers_at_once = var.people_at_peak * var.calls_per_person_per_hour * 20 / 3600
  app_least       = local.production ? 2 : 1
  app_most        = local.production ? min(100, max(3, ceil(local.answers_at_once / 60))) : 2
  # Pools of workers do not scale by themselves yet.
  workers = local.production ? max(2, ceil(local.app_most / 4)) : 1

  # From one address, which may be a whole office's: a person opens a page every few seconds at most.
  requests_a_minute = min(1000000, max(1200, var.people_at_peak * 30))

  # Beside its pool a process keeps some for limits (LIMITS_CONNECTIONS) and for listening.
  connections = (local.app_most + local.workers) * (var.database_pool_size + 6)

  # Each connection may take 10 MB; a fifth is left for people and monitoring.
  most_connections = max(100, ceil(local.connections * 1.2))
  database_tiers = [
    { tier = "db-custom-1-3840", connections = 150 },
    { tier = "db-custom-2-8192", connections = 400 },
    { tier = "db-custom-4-16384", connections = 1000 },
    { tier = "db-custom-8-32768", connections = 2000 },
    { tier = "db-custom-16-65536", connections = 5000 },
  ]
  # Production has two processors at least, so that a copy or a report stops nobody.
  database_tier = [
    for one in local.database_tiers : one.tier
    if one.connections >= local.most_connections && !(local.production && one.connections < 400)
  ][0]
  database_gigabytes = local.production ? 50 : 20
}
