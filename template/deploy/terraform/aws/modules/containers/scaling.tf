# More processes when those that run are busy.

locals {
  services = {
    app    = { least = var.app.least, most = var.app.most, names = keys(aws_ecs_service.app) }
    worker = { least = var.worker.least, most = var.worker.most, names = ["worker"] }
  }
  in_turns = length(var.target_groups) > 1
}

resource "aws_appautoscaling_target" "this" {
  for_each = { for name, one in local.services : name => one if name == "worker" || !local.in_turns }

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${each.key}"
  min_capacity       = each.value.least
  max_capacity       = each.value.most

  depends_on = [aws_ecs_service.app, aws_ecs_service.worker]
}

# Of services that take turns one has nobody, and autoscaling must not start it: who releases says
# how many there may be, from the tags of the service.
resource "aws_appautoscaling_target" "turn" {
  for_each = { for name, service in aws_ecs_service.app : name => service.name if local.in_turns }

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${each.value}"
  min_capacity       = each.key == "app" ? var.app.least : 0
  max_capacity       = each.key == "app" ? var.app.most : 0

  lifecycle {
    ignore_changes = [min_capacity, max_capacity]
  }
}

locals {
  targets = merge(aws_appautoscaling_target.this, aws_appautoscaling_target.turn)
}

resource "aws_appautoscaling_policy" "processor" {
  for_each = local.targets

  name               = "${each.key}-processor"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 50
    scale_out_cooldown = 30
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "memory" {
  for_each = local.targets

  name               = "${each.key}-memory"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 75
    scale_out_cooldown = 30
    scale_in_cooldown  = 300

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageMemoryUtilization"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "missing" {
  for_each = local.services

  alarm_name          = "${var.name}-${each.key}-missing"
  alarm_description   = "Fewer processes of ${each.key} run than should"
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = each.value.least
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topics
  ok_actions          = var.alarm_topics

  # Services that take turns count together.
  metric_query {
    id          = "together"
    expression  = "SUM(FILL(METRICS(), 0))"
    label       = "Processes"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = toset(each.value.names)

    content {
      id = replace(metric_query.key, "-", "_")

      metric {
        namespace   = "ECS/ContainerInsights"
        metric_name = "RunningTaskCount"
        dimensions  = { ClusterName = aws_ecs_cluster.this.name, ServiceName = metric_query.key }
        stat        = "Maximum"
        period      = 60
      }
    }
  }
}
